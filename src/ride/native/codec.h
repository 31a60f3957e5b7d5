/* Integer models of the codec: twins of codec/states.py, in float64 only.
 *
 * Every number is an integer times a power of two and exact, so that neither the order of sums nor fused operations
 * can change a result.
 */

#define TOTAL_BITS 24

/* The place floor(x) in a table of `size`, its ends beyond them. */
static ALWAYS_INLINE long codec_place(double x, long size) {
    x = x < 0 ? 0 : x;
    x = x > (double)(size - 1) ? (double)(size - 1) : x;
    return (long)x;
}

/* Lay the hidden units of the left and upper neighbors of each cell side by side, `stride` numbers a cell. */
EXPORT void codec_gather_float64(double *inputs, const double *left, const double *up, const int64_t *row, long cells,
                                 long n, long stride) {
    for (long k = 0; k < cells; k++) {
        memcpy(inputs + k * stride, left + row[k] * n, n * sizeof(double));
        memcpy(inputs + k * stride + n, up + (row[k] - 1) * n, n * sizeof(double));
    }
}

/* From the sums [cells, 5n] of a layer, overwritten, the memory and hidden units of each cell, which go into its row
 * and, the hidden units, into `out` [cells, n] too. `one` is the hidden unit's 1, `down` scales memory, `across` leads
 * from memory times a gate to a place in the table, whose middle is `middle`. */
CLONES void codec_cells_float64(double *sums, const double *table, const double *left, const double *up, double *memory,
                                double *hidden, const int64_t *row, double *out, double one, double down,
                                double largest, double across, double middle, long size, long cells, long n) {
    for (long k = 0; k < cells; k++) {
        double *g = sums + k * 5 * n, *o = g + n, *i = o + n, *f_c = i + n, *f_r = f_c + n;
        const double *c_left = left + row[k] * n, *c_up = up + (row[k] - 1) * n;
        double *c = memory + row[k] * n, *h = hidden + row[k] * n;
        EACH(u, 5 * n) g[u] = table[codec_place(g[u], size)];
        EACH(u, n) {
            double m = floor(((g[u] - one) * i[u] + c_left[u] * f_c[u] + c_up[u] * f_r[u]) * down + 0.5);
            m = m < -largest ? -largest : m;
            c[u] = m > largest ? largest : m;
        }
        EACH(u, n) h[u] = table[codec_place(c[u] * o[u] * across + middle + 0.5, size)] - one;
        memcpy(out + k * n, h, n * sizeof(double));
    }
}

/* Turn the logits [cells, experts] of mixtures into weights, and add these up. */
CLONES void codec_weights_float64(double *logits, const double *table, int64_t *total, long size, long cells,
                                  long experts) {
    for (long k = 0; k < cells; k++) {
        double *l = logits + k * experts, largest, found = 0;
        EACH(u, experts) l[u] = floor(l[u]);
        largest = l[0];
        for (long u = 1; u < experts; u++)
            largest = l[u] > largest ? l[u] : largest;
        EACH(u, experts) l[u] = table[codec_place(largest - l[u], size)];
        REDUCE_SUM(u, experts) found += l[u];
        total[k] = (int64_t)found;
    }
}

/* The experts of one mixture that have any weight. */
struct codec_mixture {
    double *mean, *inverse, *weight;
    const double *table;
    long count, size;
    int64_t total;
    double middle;
};

/* Where the interval of a symbol begins, of `symbols` whose lower edges are `edge`. */
static ALWAYS_INLINE int64_t codec_below(const struct codec_mixture *m, const int64_t *edge, int64_t symbol,
                                         int64_t symbols) {
    if (symbol == 0)
        return 0;
    if (symbol == symbols)
        return (int64_t)1 << TOTAL_BITS;
    double at = (double)edge[symbol], found = 0;
    for (long u = 0; u < m->count; u++)
        found += m->weight[u] * m->table[codec_place((at - m->mean[u]) * m->inverse[u] + m->middle + 0.5, m->size)];
    int64_t below = (int64_t)found / m->total;
    return (below * (((int64_t)1 << TOTAL_BITS) - symbols) >> TOTAL_BITS) + symbol;
}

/* The intervals of pixels in mixtures: of the given symbols, or where `point` is not NULL of those that hold the points,
 * which are written.
 *
 * `sizes` and `edges` [tiles, row of edges] are of the tile of each pixel; means have `stride` numbers a pixel; `room`
 * holds 3 numbers for each expert. */
CLONES void codec_intervals_float64(const int64_t *point, int64_t *symbol, int64_t *begin, int64_t *end,
                                    const int64_t *tile, const int64_t *sizes, const int64_t *edges,
                                    const double *means, const double *inverse, const double *weights,
                                    const int64_t *total, const double *table, double *room, double middle, long size,
                                    long pixels, long components, long scales, long stride, long row) {
    long experts = components * scales;
    for (long k = 0; k < pixels; k++) {
        const double *mean = means + k * stride, *weight = weights + k * experts;
        const int64_t *edge = edges + tile[k] * row, symbols = sizes[tile[k]];
        struct codec_mixture m = {room, room + experts, room + 2 * experts, table, 0, size, total[k], middle};
        for (long u = 0; u < experts; u++)
            if (weight[u] > 0) {
                m.mean[m.count] = mean[u / scales];
                m.inverse[m.count] = inverse[u];
                m.weight[m.count++] = weight[u];
            }
        if (!point) {
            begin[k] = codec_below(&m, edge, symbol[k], symbols);
            end[k] = codec_below(&m, edge, symbol[k] + 1, symbols);
            continue;
        }
        int64_t low = 0, high = symbols, from = 0, to = (int64_t)1 << TOTAL_BITS;
        while (high - low > 1) {
            int64_t middle_symbol = (low + high) / 2, value = codec_below(&m, edge, middle_symbol, symbols);
            if (value <= point[k]) {
                low = middle_symbol;
                from = value;
            } else {
                high = middle_symbol;
                to = value;
            }
        }
        symbol[k] = low;
        begin[k] = from;
        end[k] = to;
    }
}
