"""The sweep over chunks of pixels in torch operations, on any device, for every MCGSM.

Within a chunk the pixel is the last axis, so that every array is a stack of long rows and every parameter one number a
row.
"""

import math

import torch
from torch import Tensor

from ride.models.mcgsm.sweep import Sweep, chunk_pixels
from ride.models.mcgsm.terms import Terms

LOG2_E = 1 / math.log(2)
LEAST_EXPONENT = -100.0
"""Exponents of 2 are cut here: as good as 0 beside the largest, 0, and no product becomes a slow denormal."""
CHUNK_NUMBERS = {"cpu": 2**20, "cuda": 2**25}
"""Numbers in the arrays of one chunk, by kind of device: about the cache of a core, or what fills a GPU."""


class _Arrays:
    """The arrays of a chunk of P pixels, used again for every chunk of that many.

    Views are made here once: making one costs as much as a few thousand multiplications.
    """

    def __init__(self, pixels: int, terms: Terms) -> None:
        (c, m, _), s, k = terms.a.shape, terms.eta.shape[1], len(terms.projection)

        def array(*shape: int) -> Tensor:
            return terms.a.new_empty(*shape, pixels)

        self.pixels = pixels
        self.hidden = array(k + c * m)
        """z and the residuals of the experts A x + u - y; later the gradients of z and of A x."""
        self.hidden_columns = self.hidden.t()
        self.z, self.residual = self.hidden[:k], self.hidden[k:].view(c, m, pixels)
        self.residual_0 = self.residual[:, 0]
        self.squares = array(k)
        self.squares_columns = self.squares.t()
        if terms.weights is None:
            self.z_of_component = self.z.view(c, -1, pixels)
            self.squares_of_component = self.squares.view(c, -1, pixels)
        if terms.factor is not None:
            self.whitened, self.whitened_squares = array(c, m), array(c, m)
        self.distance = array(2, c)
        """Q and R; later Q over the sum of the gate and Q + R over that of the posterior."""
        self.q, self.r = self.distance.unbind()
        self.distance_rows = self.distance.view(2, c, 1, pixels)
        self.distance_columns = self.distance.view(2 * c, 1, pixels).mT
        self.mixture = array(2, c, s)
        """Exponents and then powers of 2, of gate and posterior: the softmaxes times their sums."""
        self.gate, self.posterior = self.mixture.unbind()
        self.mixture_of_component = self.mixture.view(2 * c, s, pixels)
        self.mixture_rows = self.mixture.view(2, c * s, pixels)
        self.pull = array(2, c)
        """sum_s lambda g, later dQ; and sum_s lambda r, later 2 dR."""
        self.pull_rows = self.pull.view(2 * c, 1, pixels)
        self.d_q, self.d_r2 = self.pull.unbind()
        self.d_q_rows, self.d_r2_rows = self.pull.unsqueeze(2).unbind()


class _Sums:
    """Sums over the pixels of a chunk, and over all pixels in double precision."""

    def __init__(self, terms: Terms) -> None:
        c, m, n = terms.a.shape
        k, s = len(terms.projection), terms.eta.shape[1]
        f = 0 if terms.weights is None else k
        shapes = ((k + c * m, n), (c, f), (c, m), (c, m, m), (2, c, s), (2, c, s))
        self.sizes = [math.prod(shape) for shape in shapes]
        self.shapes = shapes
        self.chunk = terms.a.new_zeros(sum(self.sizes))
        self.total = torch.zeros_like(self.chunk, dtype=torch.float64)
        self.products, self.weights, self.u, self.factor, precision, hits = self._views(self.chunk)
        self.precision_columns = precision.view(2 * c, s, 1)
        self.hits_columns = hits.view(2, c * s, 1)

    def _views(self, flat: Tensor) -> list[Tensor]:
        return [part.view(shape) for part, shape in zip(flat.split(self.sizes), self.shapes, strict=True)]

    def add(self) -> None:
        """Add the chunk's sums to those over all pixels."""
        self.total.add_(self.chunk)

    def gradients(self, terms: Terms) -> list[Tensor]:
        """The gradient of each of the terms."""
        products, weights, u, factor, precision, hits = self._views(self.total.to(terms.a.dtype))
        k = len(terms.projection)
        # Gate minus posterior for lambda, posterior minus gate for eta.
        return [
            products[:k],
            weights,
            products[k:].view_as(terms.a),
            u,
            factor,
            precision[0] - precision[1],
            hits[1] - hits[0],
            hits[1],
        ]


class PlainSweep(Sweep[_Sums]):
    """`Sweep` in torch operations."""

    def __init__(self, x: Tensor, y: Tensor, terms: Terms) -> None:
        super().__init__(x, y, terms)
        (c, m, _), s, k = terms.a.shape, terms.eta.shape[1], len(terms.projection)
        self.stack = torch.cat([terms.projection, terms.a.flatten(0, 1)])
        self.twice_weights = None if terms.weights is None else 2 * terms.weights.t()
        self.precision = terms.precision.repeat(2, 1).unsqueeze(1)
        # Exponents are in base 2: torch's exp is slow where it underflows, its exp2 is not.
        self.slope = (-LOG2_E * terms.precision).unsqueeze(-1)
        self.bias = (LOG2_E * torch.stack([terms.eta, terms.expert])).unsqueeze(-1)
        self.largest = -torch.finfo(x.dtype).max / (8 * self.slope.min())
        numbers = 2 * c * s + 2 * k + (3 * m + 4) * c
        limit = CHUNK_NUMBERS.get(x.device.type, CHUNK_NUMBERS["cuda"])
        self.chunk = chunk_pixels(numbers, limit)
        self.arrays: _Arrays | None = None

    def _new_sums(self) -> _Sums:
        return _Sums(self.terms)

    def _of_terms(self, sums: _Sums) -> list[Tensor]:
        return sums.gradients(self.terms)

    def _values(self, x: Tensor, y: Tensor) -> Tensor:
        return self._forward(x, y)[0]

    def _gradients(
        self, x: Tensor, y: Tensor, weight: Tensor | None, sums: _Sums | None, d_x: Tensor | None, d_y: Tensor | None
    ) -> Tensor:
        value, scale = self._forward(x, y)
        scale.reciprocal_()
        self._backward(x, scale if weight is None else scale.mul_(weight), sums, d_x, d_y)
        return value

    def _forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Log-likelihoods of a chunk, and the sums [2, P] that turn its `mixture` into two softmaxes."""
        if self.arrays is None or self.arrays.pixels != len(x):
            self.arrays = _Arrays(len(x), self.terms)
        at, terms = self.arrays, self.terms
        torch.mm(self.stack, x.t(), out=at.hidden)
        torch.mul(at.z, at.z, out=at.squares)
        if terms.weights is None:
            torch.sum(at.squares_of_component, 1, out=at.q)
        else:
            torch.mm(terms.weights, at.squares, out=at.q)
        if terms.u is not None:
            at.residual.add_(terms.u.unsqueeze(-1))
        at.residual.sub_(y.t().contiguous())
        if terms.factor is None:
            torch.mul(at.residual_0, at.residual_0, out=at.r)
        else:
            torch.bmm(terms.factor.mT, at.residual, out=at.whitened)
            torch.mul(at.whitened, at.whitened, out=at.whitened_squares)
            torch.sum(at.whitened_squares, 1, out=at.r)
        # No infinities, whose differences are not numbers.
        torch.minimum(at.distance, self.largest, out=at.distance)
        torch.mul(at.distance_rows, self.slope, out=at.mixture).add_(self.bias)
        # The gate's largest exponent becomes 0 before the experts add theirs, so that it costs them no digits.
        at.gate.sub_(at.gate.amax((0, 1)))
        highest = at.posterior.add_(at.gate).amax((0, 1))
        at.posterior.sub_(highest)
        sums = at.mixture.clamp_min_(LEAST_EXPONENT).exp2_().sum((1, 2))
        of_gate, of_posterior = sums.log2().unbind()
        return highest.add_(of_posterior).sub_(of_gate).mul_(math.log(2)), sums

    def _backward(self, x: Tensor, scale: Tensor, sums: _Sums | None, d_x: Tensor | None, d_y: Tensor | None) -> None:
        """Gradients of the chunk `_forward` saw last; `scale` turns its `mixture` into (weighted) g and r."""
        at, terms = self.arrays, self.terms
        assert at is not None
        scale_rows = scale.unsqueeze(1)
        torch.bmm(self.precision, at.mixture_of_component, out=at.pull_rows)
        at.pull.mul_(scale_rows)
        at.d_q.sub_(at.d_r2)
        at.d_r2.mul_(-2)
        if sums is not None:
            torch.bmm(at.mixture_rows, scale_rows.mT, out=sums.hits_columns)
            at.r.add_(at.q)
            at.distance.mul_(scale_rows)
            torch.bmm(at.mixture_of_component, at.distance_columns, out=sums.precision_columns)
        if self.twice_weights is None:
            at.z_of_component.mul_(at.d_q_rows).mul_(2)
        else:
            if sums is not None:
                torch.mm(at.d_q, at.squares_columns, out=sums.weights)
            at.z.mul_(torch.mm(self.twice_weights, at.d_q, out=at.squares))
        if terms.factor is None:
            at.residual.mul_(at.d_r2_rows)
        else:
            at.whitened.mul_(at.d_r2_rows)
            if sums is not None:
                torch.bmm(at.residual, at.whitened.mT, out=sums.factor)
            torch.bmm(terms.factor, at.whitened, out=at.residual)
        if sums is not None:
            torch.mm(at.hidden, x, out=sums.products)
            if terms.u is not None:
                torch.sum(at.residual, -1, out=sums.u)
            sums.add()
        if d_x is not None:
            torch.mm(at.hidden_columns, self.stack, out=d_x)
        if d_y is not None:
            d_y.copy_(at.residual.sum(0).neg_().t())
