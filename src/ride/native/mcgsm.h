/* The mixture of an MCGSM with one output channel, equations (3) to (5), and its gradient, pixel by pixel.
 *
 * Included once for each precision, after real.h. What belongs to component and scale lies as [S, C], so that loops
 * over components are loops over neighbors in memory.
 */

/* Exponents of 2 from LEAST to 0, turned into powers. */
static ALWAYS_INLINE void NAME(powers)(REAL *exponents, REAL highest, long count) {
    EACH(u, count) {
        REAL x = exponents[u] - highest;
        exponents[u] = NAME(exp2)(x < LEAST ? LEAST : x);
    }
}

static ALWAYS_INLINE REAL NAME(largest)(const REAL *values, long count) {
    REAL found = values[0];
    REDUCE_MAX(u, count) found = values[u] > found ? values[u] : found;
    return found;
}

static ALWAYS_INLINE REAL NAME(sum)(const REAL *values, long count) {
    REAL found = 0;
    REDUCE_SUM(u, count) found += values[u];
    return found;
}

/* Log-likelihoods `value` [pixels] in nats, and where `sums` is given their gradients.
 *
 * `predicted` [pixels, C], `stride` numbers a row, holds a_c^T x and gets the gradients of it; `q` [pixels, C] holds
 * Q_c and gets the gradients of it; `y` [pixels]. `u` [C] are the experts' means, or NULL for 0. `slope` = -lambda /
 * ln 2, `eta` and `expert` (both over ln 2) and `lambda` are [S, C]; Q and R end at `bound`. `weight` [pixels] are the
 * weights of the pixels in the gradients, or NULL for 1. Added to `sums` [4, S, C] are those over the pixels of the
 * gate g, of the posterior r, of g Q and of r (Q + R). `room` holds 6 S C + 4 C numbers.
 */
CLONES void NAME(mcgsm_mixture)(REAL *predicted, REAL *q, const REAL *y, const REAL *u, const REAL *slope,
                                const REAL *eta, const REAL *expert, const REAL *lambda, const REAL *weight,
                                REAL *value, double *sums, REAL *room, REAL bound, long pixels, long stride, long C,
                                long S) {
    REAL *gate = room, *posterior = gate + S * C, *some = posterior + S * C;
    REAL *distance = some + 4 * S * C, *both = distance + C, *pull_gate = both + C, *pull_posterior = pull_gate + C;
    EACH(u, 4 * S * C) some[u] = 0;
    for (long p = 0; p < pixels; p++) {
        REAL *residual = predicted + p * stride, *q_p = q + p * C, y_p = y[p];
        if (u)
            EACH(c, C) residual[c] += u[c];
        EACH(c, C) {
            REAL r = residual[c] - y_p, square = r * r;
            residual[c] = r;
            distance[c] = square > bound ? bound : square;
            q_p[c] = q_p[c] > bound ? bound : q_p[c];
        }
        for (long s = 0; s < S; s++) EACH(c, C) gate[s * C + c] = slope[s * C + c] * q_p[c] + eta[s * C + c];
        /* The gate's largest exponent becomes 0 before the experts add theirs, so that it costs them no digits. */
        REAL highest = NAME(largest)(gate, S * C);
        for (long s = 0; s < S; s++)
            EACH(c, C) posterior[s * C + c] =
                gate[s * C + c] - highest + (slope[s * C + c] * distance[c] + expert[s * C + c]);
        REAL highest_posterior = NAME(largest)(posterior, S * C);
        NAME(powers)(gate, highest, S * C);
        NAME(powers)(posterior, highest_posterior, S * C);
        REAL of_gate = NAME(sum)(gate, S * C), of_posterior = NAME(sum)(posterior, S * C);
        value[p] = highest_posterior * (REAL)LN2 + LOG(of_posterior / of_gate);
        if (!sums) continue;
        REAL w = weight ? weight[p] : 1, scale_gate = w / of_gate, scale_posterior = w / of_posterior;
        EACH(c, C) both[c] = q_p[c] + distance[c];
        EACH(c, C) pull_gate[c] = 0;
        EACH(c, C) pull_posterior[c] = 0;
        for (long s = 0; s < S; s++) {
            REAL *hits = some + s * C, *posterior_hits = hits + S * C;
            REAL *weighted = posterior_hits + S * C, *posterior_weighted = weighted + S * C;
            EACH(c, C) {
                REAL g = gate[s * C + c] * scale_gate, r = posterior[s * C + c] * scale_posterior;
                hits[c] += g;
                posterior_hits[c] += r;
                weighted[c] += g * q_p[c];
                posterior_weighted[c] += r * both[c];
                pull_gate[c] += g * lambda[s * C + c];
                pull_posterior[c] += r * lambda[s * C + c];
            }
        }
        EACH(c, C) {
            q_p[c] = pull_gate[c] - pull_posterior[c];
            residual[c] *= -2 * pull_posterior[c];
        }
        if ((p + 1) % SOME_PIXELS && p + 1 < pixels) continue;
        EACH(k, 4 * S * C) sums[k] += some[k];
        EACH(k, 4 * S * C) some[k] = 0;
    }
}

/* Draw y [pixels] from the experts that u [pixels], uniform on [0, 1), chooses, with z [pixels] standard normal.
 *
 * `logits` [pixels, C S], scales running fastest, are those of the gate; `predicted` [pixels, C], `stride` numbers a
 * row, holds a_c^T x; `means` [C] is that of the experts, or NULL for 0; `deviation` [C, S] is theirs. `room` holds C S
 * numbers and `cumulative` as many.
 */
CLONES void NAME(mcgsm_draw)(const REAL *logits, const REAL *predicted, const REAL *means, const REAL *deviation,
                             const double *u, const REAL *z, REAL *y, REAL *room, double *cumulative, long pixels,
                             long stride, long C, long S) {
    for (long p = 0; p < pixels; p++) {
        const REAL *logit = logits + p * C * S;
        REAL highest = NAME(largest)(logit, C * S);
        EACH(k, C * S) room[k] = logit[k] * (REAL)(1 / LN2);
        NAME(powers)(room, highest * (REAL)(1 / LN2), C * S);
        /* What was cut at LEAST is no expert that a u of 0 may choose. */
        EACH(k, C * S) room[k] = room[k] < (REAL)1e-30 ? 0 : room[k];
        double total = 0;
        for (long k = 0; k < C * S; k++) cumulative[k] = total += room[k];
        double level = u[p] * total;
        long chosen = 0;
        while (chosen < C * S - 1 && !(cumulative[chosen] > level)) chosen++;
        REAL mean = predicted[p * stride + chosen / S];
        if (means) mean += means[chosen / S];
        /* A gate that is not a number has no place for u, and its pixel is none either. */
        y[p] = total == total ? mean + deviation[chosen] * z[p] : (REAL)total;
    }
}
