/* e^x - 1, 2^x, logistic sigmoid and tanh of one REAL, without branches, so that compilers vectorise loops over them.
 *
 * Included once for each precision, after NAME(f), REAL, the unsigned integer BITS of its size and
 *   MANTISSA, BIAS      bits of the mantissa, bias of the exponent
 *   LIMIT               largest |x|, beyond which results no longer change but for over- or underflow
 *   LN2_HIGH, LN2_LOW   ln 2, the first part so short that its product with the exponent is exact
 *   ORDER               of the Taylor series of e^r - 1: its rest is below half a last digit for |r| <= ln(2) / 2
 */

typedef union {
    REAL value;
    BITS bits;
} NAME(number);

/* A number so large that its last digit is 1: adding it rounds to an integer, and leaves that in the last bits. */
#define LARGE ((REAL)1.5 * (REAL)((BITS)1 << MANTISSA))

/* e^r - 1 for |r| <= ln(2) / 2. */
static ALWAYS_INLINE REAL NAME(series)(REAL r) {
    REAL sum = (REAL)INVERSE_FACTORIAL[ORDER];
    UNROLLED for (int n = ORDER - 1; n >= 2; n--) sum = sum * r + (REAL)INVERSE_FACTORIAL[n];
    return r + r * r * sum;
}

/* With x = k ln 2 + r: e^x - 1 = 2^k (e^r - 1) + (2^k - 1), which loses no digits near 0. */
static ALWAYS_INLINE REAL NAME(expm1)(REAL x) {
    x = x < -LIMIT ? -LIMIT : x;
    x = x > LIMIT ? LIMIT : x;
    NAME(number) shifted = {x * (REAL)1.4426950408889634 + LARGE}, power;
    REAL k = shifted.value - LARGE;
    REAL series = NAME(series)((x - k * (REAL)LN2_HIGH) - k * (REAL)LN2_LOW);
    power.bits = (shifted.bits + BIAS) << MANTISSA;
    return power.value * series + (power.value - 1);
}

/* For x whose power is neither too small nor too large for a REAL. */
static ALWAYS_INLINE REAL NAME(exp2)(REAL x) {
    NAME(number) shifted = {x + LARGE}, power;
    REAL series = NAME(series)((x - (shifted.value - LARGE)) * (REAL)LN2);
    power.bits = (shifted.bits + BIAS) << MANTISSA;
    return power.value * series + power.value;
}

static ALWAYS_INLINE REAL NAME(sigmoid)(REAL x) { return 1 / (2 + NAME(expm1)(-x)); }

static ALWAYS_INLINE REAL NAME(tanh)(REAL x) {
    REAL e = NAME(expm1)(2 * x);
    return e / (2 + e);
}

#undef LARGE
