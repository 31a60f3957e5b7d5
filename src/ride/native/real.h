/* e^x - 1, logistic sigmoid and tanh of one REAL, without branches, so that compilers vectorise loops over them.
 *
 * Included once for each precision, after NAME(f), REAL, the unsigned integer BITS of its size and
 *   MANTISSA, BIAS      bits of the mantissa, bias of the exponent
 *   LIMIT               largest |x|, beyond which results no longer change but for over- or underflow
 *   LN2_HIGH, LN2_LOW   ln 2, the first part so short that its product with the exponent is exact
 *   ORDER               of the Taylor series of e^r - 1: its rest is below half a last digit for |r| <= ln(2) / 2
 */

/* With x = k ln 2 + r: e^x - 1 = 2^k (e^r - 1) + (2^k - 1), which loses no digits near 0. */
static ALWAYS_INLINE REAL NAME(expm1)(REAL x) {
    x = x < -LIMIT ? -LIMIT : x;
    x = x > LIMIT ? LIMIT : x;
    /* A number so large that its last digit is 1: adding it rounds to an integer, and leaves that in the last bits. */
    const REAL large = (REAL)1.5 * (REAL)((BITS)1 << MANTISSA);
    union {
        REAL value;
        BITS bits;
    } shifted, power;
    shifted.value = x * (REAL)1.4426950408889634 + large;
    REAL k = shifted.value - large;
    REAL r = (x - k * (REAL)LN2_HIGH) - k * (REAL)LN2_LOW;
    REAL series = (REAL)INVERSE_FACTORIAL[ORDER];
    UNROLLED for (int n = ORDER - 1; n >= 2; n--) series = series * r + (REAL)INVERSE_FACTORIAL[n];
    series = r + r * r * series;
    power.bits = (shifted.bits + BIAS) << MANTISSA;
    return power.value * series + (power.value - 1);
}

static ALWAYS_INLINE REAL NAME(sigmoid)(REAL x) { return 1 / (2 + NAME(expm1)(-x)); }

static ALWAYS_INLINE REAL NAME(tanh)(REAL x) {
    REAL e = NAME(expm1)(2 * x);
    return e / (2 + e);
}
