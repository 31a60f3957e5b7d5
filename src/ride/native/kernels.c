/* Pointwise kernels in C, an addition to the package where a compiler was at hand when it was installed.
 *
 * Where the compiler can, each is compiled for three generations of processors, and the right one chosen on loading.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#define EXPORT __declspec(dllexport)
#define ALWAYS_INLINE __forceinline
#define UNROLLED
#define INDEPENDENT __pragma(loop(ivdep))
#else
#define EXPORT __attribute__((visibility("default")))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 16")
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif
#endif
/* Sums in any order, and largest of numbers of which none is NaN: both in lanes. */
#if defined(__GNUC__)
#define REDUCE_SUM(u, n) _Pragma("omp simd reduction(+ : found)") for (long u = 0; u < (n); u++)
#define REDUCE_MAX(u, n) _Pragma("omp simd reduction(max : found)") for (long u = 0; u < (n); u++)
#else
#define REDUCE_SUM(u, n) for (long u = 0; u < (n); u++)
#define REDUCE_MAX(u, n) for (long u = 0; u < (n); u++)
#endif
/* A loop over numbers that do not depend on each other and do not overlap. */
#define EACH(u, n) INDEPENDENT for (long u = 0; u < (n); u++)

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12
#define CLONES EXPORT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES EXPORT
#endif

static const double INVERSE_FACTORIAL[] = {
    1.0,        1.0,         1.0 / 2,     1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
    1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
};

#define LN2 0.69314718055994530942
#define LEAST ((REAL)-100) /* as good as 0 beside a largest power of 1, and no product becomes a slow denormal */

#define SOME_PIXELS 64 /* summed in their own precision, before double takes over */

#define NAME(f) f##_float32
#define LOG logf
#define REAL float
#define BITS uint32_t
#define MANTISSA 23
#define BIAS 127
#define LIMIT 87.0f
#define LN2_HIGH 0.693359375
#define LN2_LOW -2.12194440054690583e-4
#define ORDER 7
#include "real.h"
#include "slstm.h"
#include "mcgsm.h"
#undef NAME
#undef LOG
#undef REAL
#undef BITS
#undef MANTISSA
#undef BIAS
#undef LIMIT
#undef LN2_HIGH
#undef LN2_LOW
#undef ORDER

#define NAME(f) f##_float64
#define LOG log
#define REAL double
#define BITS uint64_t
#define MANTISSA 52
#define BIAS 1023
#define LIMIT 708.0
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define ORDER 13
#include "real.h"
#include "slstm.h"
#include "mcgsm.h"

#include "codec.h"

/* The functions are called through their addresses; the module exists so that it is built and found as one. */
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Pointwise kernels, called through ctypes.", -1, 0, 0, 0, 0, 0,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModule_Create(&definition); }
