"""The mixture in compiled loops, for MCGSMs of one channel: likelihoods of factorised ones, and drawing.

Pixels are rows here, so that what belongs to a pixel lies together.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ride.models.mcgsm.sweep import Sweep, chunk_pixels
from ride.models.mcgsm.terms import Terms
from ride.native import available, kernel

MIXTURE = "p" * 12 + "r" + "n" * 4
DRAW = "p" * 9 + "n" * 4
"""Arguments of `mcgsm_mixture` and `mcgsm_draw`, see native/mcgsm.h."""
CHUNK_NUMBERS = 2**17
"""Numbers in the arrays of one chunk: within the cache of a core."""


def usable(a: Float[Tensor, "C M N"]) -> bool:
    """Whether there are kernels for an MCGSM with these predictors: of one channel, of their type, where they lie."""
    return a.shape[1] == 1 and a.device.type == "cpu" and available(a.dtype)


class _Sums:
    """Sums over pixels, in double precision."""

    def __init__(self, terms: Terms) -> None:
        (c, _, n), s, k = terms.a.shape, terms.eta.shape[1], len(terms.projection)
        self.products = torch.zeros(k + c, n, dtype=torch.float64)
        self.weights = torch.zeros(c, k, dtype=torch.float64)
        self.u = torch.zeros(c, dtype=torch.float64)
        self.mixture = torch.zeros(4, s, c, dtype=torch.float64)
        """Of g, r, g Q and r (Q + R), for each scale and component."""


class NativeSweep(Sweep[_Sums]):
    """`Sweep` in compiled loops between the products."""

    def __init__(self, x: Tensor, y: Tensor, terms: Terms) -> None:
        super().__init__(x, y, terms)
        assert terms.weights is not None
        (c, _, n), s, k = terms.a.shape, terms.eta.shape[1], len(terms.projection)
        self.c, self.s, self.k = c, s, k
        self.stack = torch.cat([terms.projection, terms.a.flatten(0, 1)])
        self.weights, self.twice_weights = terms.weights.t().contiguous(), 2 * terms.weights
        by_scale = [part.t().contiguous() for part in (terms.precision, terms.eta, terms.expert)]
        self.precision = by_scale[0]
        self.slope, self.eta, self.expert = -by_scale[0] / math.log(2), *(part / math.log(2) for part in by_scale[1:])
        self.u = None if terms.u is None else terms.u.flatten().contiguous()
        # No infinities, whose differences are not numbers.
        self.bound = float(-torch.finfo(x.dtype).max / (8 * self.slope.min()))
        self.chunk = min(chunk_pixels(n + 2 * k + 2 * c, CHUNK_NUMBERS), max(1, len(x)))
        self.hidden, self.squares, self.q = (x.new_empty(self.chunk, size) for size in (k + c, k, c))
        self.value, self.room = x.new_empty(self.chunk), x.new_empty(6 * s * c + 4 * c)
        self.products, self.of_weights = x.new_empty(k + c, n), x.new_empty(c, k)
        self.compute = kernel("mcgsm_mixture", MIXTURE, x.dtype)

    def _new_sums(self) -> _Sums:
        return _Sums(self.terms)

    def _values(self, x: Tensor, y: Tensor) -> Tensor:
        return self._mixture(x, y, None, None)

    def _mixture(self, x: Tensor, y: Tensor, weight: Tensor | None, sums: Tensor | None) -> Tensor:
        """Log-likelihoods [P]; with sums, Q and the predictions are replaced by their gradients."""
        pixels = len(x)
        hidden, q = self.hidden[:pixels], self.q[:pixels]
        z, squares = hidden[:, : self.k], self.squares[:pixels]
        torch.mm(x, self.stack.t(), out=hidden)
        torch.mul(z, z, out=squares)
        torch.mm(squares, self.weights, out=q)
        y = y.contiguous()
        self.compute(
            hidden.data_ptr() + self.k * hidden.element_size(),
            q.data_ptr(),
            y.data_ptr(),
            None if self.u is None else self.u.data_ptr(),
            self.slope.data_ptr(),
            self.eta.data_ptr(),
            self.expert.data_ptr(),
            self.precision.data_ptr(),
            None if weight is None else weight.data_ptr(),
            self.value.data_ptr(),
            None if sums is None else sums.data_ptr(),
            self.room.data_ptr(),
            self.bound,
            pixels,
            self.k + self.c,
            self.c,
            self.s,
        )
        return self.value[:pixels]

    def _gradients(
        self, x: Tensor, y: Tensor, weight: Tensor | None, sums: _Sums | None, d_x: Tensor | None, d_y: Tensor | None
    ) -> Tensor:
        mixture = sums.mixture if sums is not None else torch.zeros(4, self.s, self.c, dtype=torch.float64)
        value = self._mixture(x, y, weight, mixture)
        hidden, squares, q = (part[: len(x)] for part in (self.hidden, self.squares, self.q))
        if sums is not None:
            sums.weights.add_(torch.mm(q.t(), squares, out=self.of_weights))
        hidden[:, : self.k].mul_(torch.mm(q, self.twice_weights, out=squares))
        residual = hidden[:, self.k :]
        if sums is not None:
            sums.products.add_(torch.mm(hidden.t(), x, out=self.products))
            if self.u is not None:
                sums.u.add_(residual.sum(0))
        if d_x is not None:
            torch.mm(hidden, self.stack, out=d_x)
        if d_y is not None:
            torch.sum(residual, 1, keepdim=True, out=d_y).neg_()
        return value

    def _of_terms(self, sums: _Sums) -> list[Tensor]:
        like, (gate, posterior, of_gate, of_posterior) = self.terms.a, sums.mixture.mT
        parts = [
            sums.products[: self.k],
            sums.weights,
            sums.products[self.k :].view_as(like),
            sums.u.unsqueeze(1),
            sums.u,  # there is no factor
            of_gate - of_posterior,
            posterior - gate,
            posterior,
        ]
        return [part.to(like.dtype) for part in parts]


class NativeChoice:
    """Drawing from the experts that a uniform number chooses."""

    def __init__(self, a: Tensor, u: Tensor | None, alpha: Tensor) -> None:
        self.c, self.s = alpha.shape
        self.means = None if u is None else u.flatten().contiguous()
        self.deviation = (-0.5 * alpha).exp().contiguous()
        self.room, self.cumulative = a.new_empty(alpha.numel()), a.new_empty(alpha.numel(), dtype=torch.float64)
        self.compute = kernel("mcgsm_draw", DRAW, a.dtype)

    def draw(self, logits: Tensor, predicted: Tensor, u: Tensor, z: Tensor) -> Tensor:
        """Pixels [P, 1] for the gate's logits [P, C S], the predictions [P, C], u uniform [P] and z normal [P, 1]."""
        y, u, z = torch.empty_like(z), u.double().contiguous(), z.contiguous()
        self.compute(
            logits.data_ptr(),
            predicted.data_ptr(),
            None if self.means is None else self.means.data_ptr(),
            self.deviation.data_ptr(),
            u.data_ptr(),
            z.data_ptr(),
            y.data_ptr(),
            self.room.data_ptr(),
            self.cumulative.data_ptr(),
            len(y),
            predicted.stride(0),
            self.c,
            self.s,
        )
        return y
