/* The pointwise part of the spatial LSTM, equation (6), one anti-diagonal at a time, and its gradient.
 *
 * Included once for each precision, after real.h. A diagonal is `rows` rows of `batch` cells of n units, contiguous.
 * Row k has its left neighbor in row k of an array of its own, for k < lefts, and its upper neighbor in row k - skip of
 * another, for k >= skip; the others have none.
 */

/* Activate the gates [rows, batch, 5n] in place, in the order g, o, i, f_c, f_r, and write c and h [rows, batch, n].
 *
 * `above` [batch, n] is the memory above row 0 where skip is 1, or NULL for zero.
 */
CLONES void NAME(slstm_forward)(REAL *gates, const REAL *lefts_c, const REAL *ups_c, const REAL *above, REAL *c, REAL *h,
                                REAL largest, long rows, long batch, long n, long lefts, long skip) {
    for (long k = 0; k < rows; k++) {
        const REAL *c_left = k < lefts ? lefts_c + k * batch * n : 0;
        const REAL *c_up = k >= skip ? ups_c + (k - skip) * batch * n : above;
        for (long b = 0; b < batch; b++) {
            REAL *g = gates + (k * batch + b) * 5 * n, *o = g + n, *i = o + n;
            const REAL *f_c = i + n, *f_r = f_c + n;
            REAL *memory = c + (k * batch + b) * n, *hidden = h + (k * batch + b) * n;
            EACH(u, n) g[u] = NAME(tanh)(g[u]);
            EACH(u, 4 * n) o[u] = NAME(sigmoid)(o[u]);
            EACH(u, n) memory[u] = g[u] * i[u];
            if (c_left)
                EACH(u, n) memory[u] += c_left[b * n + u] * f_c[u];
            if (c_up)
                EACH(u, n) memory[u] += c_up[b * n + u] * f_r[u];
            EACH(u, n) {
                REAL bounded = memory[u] < -largest ? -largest : memory[u];
                bounded = bounded > largest ? largest : bounded;
                memory[u] = bounded;
                hidden[u] = NAME(tanh)(bounded * o[u]);
            }
        }
    }
}

/* Lay the units of the left and the upper neighbors side by side into `inputs` [rows, batch, 2n], `stride` numbers a
 * cell; outside the grid they are 0, or `above` [batch, n] above row 0. */
EXPORT void NAME(slstm_gather)(REAL *inputs, const REAL *lefts_units, const REAL *ups_units, const REAL *above, long rows,
                               long batch, long n, long stride, long lefts, long skip) {
    for (long k = 0; k < rows; k++) {
        const REAL *from_left = k < lefts ? lefts_units + k * batch * n : 0;
        const REAL *from_up = k >= skip ? ups_units + (k - skip) * batch * n : above;
        for (long b = 0; b < batch; b++) {
            REAL *to = inputs + (k * batch + b) * stride;
            if (from_left)
                memcpy(to, from_left + b * n, n * sizeof(REAL));
            else
                memset(to, 0, n * sizeof(REAL));
            if (from_up)
                memcpy(to + n, from_up + b * n, n * sizeof(REAL));
            else
                memset(to + n, 0, n * sizeof(REAL));
        }
    }
}

/* Replace the gates of a diagonal by the gradients of their pre-activations, and add up those over its cells.
 *
 * From the diagonal after, whose row k has its left neighbor in row k + left_after here, and so on:
 * `d_inputs` [rows_after, batch, stride] are the gradients of its recurrent inputs (h_left, h_up and, extended,
 * c_left, c_up), `d_memory` [rows_after, batch, 2n] what its forget gates hand back to c_left and c_up; overwritten by
 * what this diagonal hands to the one before is `d_memory_out` [rows, batch, 2n]. `d_bias` [5n] is added to.
 */
CLONES void NAME(slstm_backward)(REAL *gates, const REAL *c, const REAL *lefts_c, const REAL *ups_c, const REAL *h,
                                 const REAL *d_h, const REAL *d_inputs, const REAL *d_memory, REAL *d_memory_out,
                                 REAL *room, double *d_bias, REAL largest, long rows, long batch, long n, long stride,
                                 long lefts, long skip, long rows_after, long left_after, long lefts_after,
                                 long skip_after) {
    REAL *d_hidden = room, *d_cell = room + n, *total = room + 2 * n;
    EACH(u, 5 * n) total[u] = 0;
    for (long k = 0; k < rows; k++) {
        const REAL *c_left = k < lefts ? lefts_c + k * batch * n : 0;
        const REAL *c_up = k >= skip ? ups_c + (k - skip) * batch * n : 0;
        long right = k - left_after, below = k + skip_after;
        int has_right = rows_after && right >= 0 && right < lefts_after, has_below = rows_after && below < rows_after;
        for (long b = 0; b < batch; b++) {
            long cell = k * batch + b;
            EACH(u, n) d_hidden[u] = d_h[cell * n + u];
            EACH(u, n) d_cell[u] = 0;
            if (has_right) {
                const REAL *d = d_inputs + (right * batch + b) * stride, *m = d_memory + (right * batch + b) * 2 * n;
                EACH(u, n) d_hidden[u] += d[u];
                EACH(u, n) d_cell[u] += m[u];
                if (stride > 2 * n)
                    EACH(u, n) d_cell[u] += d[2 * n + u];
            }
            if (has_below) {
                const REAL *d = d_inputs + (below * batch + b) * stride;
                const REAL *m = d_memory + (below * batch + b) * 2 * n;
                EACH(u, n) d_hidden[u] += d[n + u];
                EACH(u, n) d_cell[u] += m[n + u];
                if (stride > 2 * n)
                    EACH(u, n) d_cell[u] += d[3 * n + u];
            }
            REAL *g = gates + cell * 5 * n, *o = g + n, *i = o + n;
            REAL *f_c = i + n, *f_r = f_c + n;
            REAL *to_left = d_memory_out + cell * 2 * n, *to_up = to_left + n;
            const REAL *memory = c + cell * n, *hidden = h + cell * n;
            EACH(u, n) {
                REAL d_z = d_hidden[u] * (1 - hidden[u] * hidden[u]), d_c = d_cell[u] + d_z * o[u];
                d_c = memory[u] < largest && memory[u] > -largest ? d_c : 0;
                REAL g_u = g[u], i_u = i[u];
                g[u] = d_c * i_u * (1 - g_u * g_u);
                o[u] = d_z * memory[u] * o[u] * (1 - o[u]);
                i[u] = d_c * g_u * i_u * (1 - i_u);
                to_left[u] = d_c * f_c[u];
                to_up[u] = d_c * f_r[u];
            }
            /* d_c f (1 - f) c of the neighbor, where there is one. */
            if (c_left)
                EACH(u, n) f_c[u] = to_left[u] * (1 - f_c[u]) * c_left[b * n + u];
            else
                EACH(u, n) f_c[u] = 0;
            if (c_up)
                EACH(u, n) f_r[u] = to_up[u] * (1 - f_r[u]) * c_up[b * n + u];
            else
                EACH(u, n) f_r[u] = 0;
            EACH(u, 5 * n) total[u] += g[u];
        }
    }
    EACH(u, 5 * n) d_bias[u] += total[u];
}
