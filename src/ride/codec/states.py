"""Evaluating an integer model step by step: the spatial LSTMs and the distribution of the pixels of a step."""

import numpy as np
import torch

from ride.codec import native, scales
from ride.codec.integer import Array, IntegerModel, Integers
from ride.codec.sheet import Sheet, Step


class States:
    """Hidden and memory units that the pixels to come need, for each layer a ring of as many steps as the slope + 1.

    They are kept by row: the cell to the left was visited one step ago in the same row, the cell above slope steps ago
    in the row above. Rows that have not begun, and those of nothing above each tile, are 0.
    """

    def __init__(self, model: IntegerModel, sheet: Sheet) -> None:
        self.ready, self.slope, n = model.ready, sheet.slope, model.hidden
        ring = (len(model.layers), sheet.slope + 1, sheet.rows, n)
        self.h, self.c = np.zeros(ring), np.zeros(ring)
        self.hidden, self.largest = n, model.largest_memory
        self.read = [np.empty((sheet.most, len(weight))) for weight, _ in self.ready.layers]
        self.sums = np.empty((sheet.most, 5 * n))
        self.compiled = native.usable()

    def advance(self, step: Step, x: Array) -> Array:
        """Visit the pixels of a step with neighborhoods x [P, D]; return the highest hidden units [P, N]."""
        n, count, above = self.hidden, len(x), step.row - 1
        left, up, now = ((step.t - back) % (self.slope + 1) for back in (1, self.slope, 0))
        ready = self.ready
        for layer, (weight, bias) in enumerate(ready.layers):
            h, c, read = self.h[layer], self.c[layer], self.read[layer][:count]
            read[:, : -2 * n] = x
            if self.compiled:
                x = self._compiled(step, h, c, (left, up, now), read, weight, bias)
                continue
            read[:, -2 * n : -n] = h[left][step.row]
            read[:, -n:] = h[up][above]
            gates = _looked_up(ready.sigmoid, product(read, weight, bias, self.sums[:count]))
            g, o, i, f_c, f_r = (gates[:, k * n : (k + 1) * n] for k in range(5))
            # tanh(z) = 2 sigmoid(2 z) - 1, in units of 2^-15.
            g -= 2.0**scales.STATE_BITS
            memory = g * i
            memory += c[left][step.row] * f_c
            memory += c[up][above] * f_r
            memory *= 2.0**-scales.GATE_BITS
            memory += 0.5
            np.floor(memory, out=memory)
            np.clip(memory, -self.largest, self.largest, out=memory)
            c[now][step.row] = memory
            memory *= o
            memory *= 2.0 ** (1 + scales.SIGMOID_BITS - scales.STATE_BITS - scales.GATE_BITS)
            memory += 0.5 + ready.sigmoid_middle
            x = _looked_up(ready.sigmoid, memory)
            x -= 2.0**scales.STATE_BITS
            h[now][step.row] = x
        return x

    def _compiled(
        self, step: Step, h: Array, c: Array, places: tuple[int, int, int], read: Array, weight: Array, bias: Array
    ) -> Array:
        left, up, now = places
        n, count, table = self.hidden, len(read), self.ready.sigmoid
        native.gather(read[:, -2 * n :], h[left], h[up], step.row, count, n, read.shape[1])
        sums = product(read, weight, bias, self.sums[:count])
        out = np.empty((count, n))
        across = 2.0 ** (1 + scales.SIGMOID_BITS - scales.STATE_BITS - scales.GATE_BITS)
        one, down = 2.0**scales.STATE_BITS, 2.0**-scales.GATE_BITS
        reals = (one, down, self.largest, across, self.ready.sigmoid_middle)
        native.cells(sums, table, c[left], c[up], c[now], h[now], step.row, out, *reals, len(table), count, n)
        return out


class Mixture:
    """The distribution of each of P pixels: a mixture of Gaussians over levels.

    Args:
        model: of the pixels.
        x: their neighborhoods [P, D].
        h: the highest hidden units [P, N].
    """

    def __init__(self, model: IntegerModel, x: Array, h: Array) -> None:
        ready, features = model.ready, model.features
        self.ready = ready
        linear = product(np.concatenate([x, h], axis=1), ready.head_weight, ready.head_bias)
        np.floor(linear, out=linear)
        self.means = linear[:, features:]
        logits = product(np.square(linear[:, :features]), ready.energy, ready.eta)
        self.inverse = ready.inverse.reshape(self.means.shape[1], -1)
        self.compiled = native.usable()
        if self.compiled:
            self.weights, self.total = logits, np.empty(len(x), np.int64)
            native.weights(logits, ready.exp, self.total, len(ready.exp), *logits.shape)
            return
        np.floor(logits, out=logits)
        np.subtract(logits.max(axis=1, keepdims=True), logits, out=logits)
        self.weights = _looked_up(ready.exp, logits)
        self.total = self.weights.sum(axis=1).astype(np.int64)

    def cumulative(self, edges: Integers, at: Integers | slice = slice(None)) -> Integers:
        """Probability below an edge for each of (some of) the pixels, in units of 2^-24; edges in units of 2^-8."""
        distance = edges[:, None] - self.means[at]
        places = distance[:, :, None] * self.inverse
        places += 0.5 + self.ready.normal_middle
        phi = _looked_up(self.ready.normal, places.reshape(len(places), -1))
        phi *= self.weights[at]
        return phi.sum(axis=1).astype(np.int64) // self.total[at]


def product(x: Array, weight: Array, bias: Array, out: Array | None = None) -> Array:
    """x [P, K] weight [K, R] + bias [R]: exact, for `IntegerModel` has proved that it is."""
    if out is None:
        out = np.empty((len(x), len(bias)))
    torch.addmm(*(torch.from_numpy(part) for part in (bias, x, weight)), out=torch.from_numpy(out))
    return out


def _looked_up(table: Array, places: Array) -> Array:
    """The table at floor(place), its ends beyond them; overwrites the places."""
    np.clip(places, 0, len(table) - 1, out=places)
    # Cutting off is rounding down, for nothing is negative.
    return table.take(places.astype(np.int64))
