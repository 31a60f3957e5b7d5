"""Log-likelihood of many pixels under an MCGSM, with its gradient written by hand.

With lambda = e^alpha / 2, Q_c = x^T K_c x and R_c = ||L_c^T (y - A_c x - u_c)||^2,

    log p(y | x) = LSE_cs[eta - lambda (Q + R) + h] - LSE_cs[eta - lambda Q],    h = log|L| + M/2 (alpha - log 2 pi),

equations (3) to (5). With the posterior r and the gate g, the two softmaxes over (c, s),

    dQ_c = -sum_s lambda (r - g),    dR_c = -sum_s lambda r,    dlambda = -sum_pixels (r (Q + R) - g Q),

and everything else follows by the chain rule through Q = W z^2, z = B x: O(CF + FN + CN) a pixel.

Pixels go through in chunks that stay in the cache. Within a chunk the pixel is the last axis, so that every array is
a stack of long rows and every parameter one number a row.
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

LOG2_E = 1 / math.log(2)
LEAST_EXPONENT = -100.0
"""Powers of 2 below this are as good as 0, and anything computed from smaller ones may be denormal, which is slow."""
CHUNK_NUMBERS = {"cpu": 2**19, "cuda": 2**25}
"""Numbers in the arrays of one chunk, by kind of device: about the cache of a core, or what fills a GPU."""


class Terms(NamedTuple):
    """The parameters of an MCGSM as they enter the likelihood."""

    projection: Float[Tensor, "K N"]
    """Rows b_n (K = F), or without `weights` the columns of the Cholesky factors of all K_c (K = C N)."""
    weights: Float[Tensor, "C F"] | None
    """beta_cn^2."""
    a: Float[Tensor, "C M N"]
    u: Float[Tensor, "C M"] | None
    factor: Float[Tensor, "C M M"] | None
    """L_c; None where it is 1 (M = 1)."""
    precision: Float[Tensor, "C S"]
    """lambda_cs."""
    eta: Float[Tensor, "C S"]
    expert: Float[Tensor, "C S"]
    """h_cs, the logarithm of the normalising constant of the expert."""


def log_prob(x: Float[Tensor, "P N"], y: Float[Tensor, "P M"], terms: Terms) -> Float[Tensor, " P"]:
    """Log-likelihood of each pixel; the backward pass computes every chunk anew."""
    if torch.is_grad_enabled() and _any_gradient(x, y, terms):
        return _LogProb.apply(x, y, *terms)
    return _Sweep(x, y, terms).values()


def mean_log_prob(x: Float[Tensor, "P N"], y: Float[Tensor, "P M"], terms: Terms) -> Float[Tensor, ""]:
    """Mean log-likelihood; value and gradients are computed in one pass, and the backward pass only scales them."""
    if torch.is_grad_enabled() and _any_gradient(x, y, terms):
        return _MeanLogProb.apply(x, y, *terms)
    return _Sweep(x, y, terms).values().mean(dtype=torch.float64).to(x.dtype)


def _any_gradient(x: Tensor, y: Tensor, terms: Terms) -> bool:
    return any(t is not None and t.requires_grad for t in (x, y, *terms))


class _LogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, *terms: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, y, *terms)
        return _Sweep(x, y, Terms(*terms)).values()  # type: ignore[arg-type]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, y, *terms = ctx.saved_tensors
        sweep = _Sweep(x, y, Terms(*terms))
        return tuple(sweep.gradients(ctx.needs_input_grad, grad.contiguous())[1])


class _MeanLogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, *terms: Tensor | None) -> Tensor:
        sweep = _Sweep(x, y, Terms(*terms))  # type: ignore[arg-type]
        total, ctx.gradients = sweep.gradients(ctx.needs_input_grad, None)
        ctx.pixels = len(x)
        return (total / len(x)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad / ctx.pixels
        return tuple(g if g is None else g * scale for g in ctx.gradients)


class _Arrays:
    """Memory for the arrays of a chunk of P pixels, used again for every chunk of that many."""

    def __init__(self, pixels: int, rows: int, c: int, s: int, m: int, like: Tensor) -> None:
        def array(*shape: int) -> Tensor:
            return like.new_empty(*shape, pixels)

        self.pixels = pixels
        self.hidden = array(rows + c * m)
        """z and the residuals of the experts, later their gradients."""
        self.squares = array(rows)
        self.residual = array(c, m)
        self.scratch = array(c, m)
        self.q, self.r = array(c), array(c)
        self.from_gate, self.from_posterior = array(c, 1), array(c, 1)
        self.gate, self.posterior = array(c, s), array(c, s)


class _Sweep:
    """One pass over all pixels, chunk by chunk."""

    def __init__(self, x: Tensor, y: Tensor, terms: Terms) -> None:
        self.x, self.y, self.terms = x, y, terms
        c, m, _ = terms.a.shape
        s = terms.eta.shape[1]
        rows = len(terms.projection)
        self.sizes = (rows, c, s, m)
        self.stack = torch.cat([terms.projection, terms.a.flatten(0, 1)])
        # Exponents are in base 2: torch's exp is slow where it underflows, its exp2 is not.
        self.slope = (-LOG2_E * terms.precision).unsqueeze(-1)
        self.gate_bias = (LOG2_E * terms.eta).unsqueeze(-1)
        self.expert_bias = (LOG2_E * terms.expert).unsqueeze(-1)
        self.largest = -torch.finfo(x.dtype).max / (8 * self.slope.min())
        numbers = 2 * c * s + 2 * rows + (3 * m + 4) * c
        self.chunk = max(32, CHUNK_NUMBERS.get(x.device.type, CHUNK_NUMBERS["cuda"]) // numbers)
        self.arrays: _Arrays | None = None

    def values(self) -> Tensor:
        """Log-likelihoods [P] in nats."""
        out = self.x.new_empty(len(self.x))
        for x, y, value in zip(
            self.x.split(self.chunk), self.y.split(self.chunk), out.split(self.chunk), strict=True
        ):
            value.copy_(self._forward(x, y)[0])
        return out

    def gradients(
        self, needed: tuple[bool, ...], weight: Float[Tensor, " P"] | None
    ) -> tuple[Tensor, list[Tensor | None]]:
        """The sum of log-likelihoods, and the gradients of their sum (weighted, if so) for (x, y, *terms)."""
        x, y, terms = self.x, self.y, self.terms
        parameters = any(needed[2:])
        # Sums over pixels are double, chunks are not: a million pixels lose no digits that one chunk has.
        sums = [
            torch.zeros_like(t, dtype=torch.float64, memory_format=torch.contiguous_format)
            if t is not None
            else None
            for t in terms
        ]
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        grad_x = x.new_empty(x.shape) if needed[0] else None
        grad_y = y.new_empty(y.shape) if needed[1] else None
        for start in range(0, len(x), self.chunk):
            part = slice(start, start + self.chunk)
            value, sum_gate, sum_posterior = self._forward(x[part], y[part])
            total += value.sum(dtype=torch.float64)
            w = weight[part] if weight is not None else None
            self._backward(
                x[part],
                sum_gate.reciprocal_() if w is None else w / sum_gate,
                sum_posterior.reciprocal_() if w is None else w / sum_posterior,
                Terms(*sums) if parameters else None,  # type: ignore[arg-type]
                grad_x[part] if grad_x is not None else None,
                grad_y[part] if grad_y is not None else None,
            )
        done = [
            s.to(x.dtype) if s is not None and need else None
            for s, need in zip(sums, needed[2:], strict=True)
        ]
        return total, [grad_x, grad_y, *done]

    def _arrays(self, pixels: int) -> _Arrays:
        if self.arrays is None or self.arrays.pixels != pixels:
            rows, c, s, m = self.sizes
            self.arrays = _Arrays(pixels, rows, c, s, m, self.x)
        return self.arrays

    def _forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-likelihoods of a chunk, and the sums over (c, s) by which the two softmaxes are still to be divided."""
        rows, c, s, m = self.sizes
        pixels, terms, at = len(x), self.terms, self._arrays(len(x))
        torch.mm(self.stack, x.t(), out=at.hidden)
        z, residual = at.hidden[:rows], at.hidden[rows:].view(c, m, pixels)
        torch.mul(z, z, out=at.squares)
        if terms.weights is None:
            torch.sum(at.squares.view(c, rows // c, pixels), 1, out=at.q)
        else:
            torch.mm(terms.weights, at.squares, out=at.q)
        if terms.u is not None:
            residual.add_(terms.u.unsqueeze(-1))
        residual.sub_(y.t().contiguous())  # A x + u - y
        if terms.factor is not None:
            torch.bmm(terms.factor.mT, residual, out=at.residual)
            torch.mul(at.residual, at.residual, out=at.scratch)
            torch.sum(at.scratch, 1, out=at.r)
        else:
            torch.mul(residual[:, 0], residual[:, 0], out=at.r)
        # Neither an infinity nor two of them may meet: their difference is not a number.
        torch.minimum(at.q, self.largest, out=at.q)
        torch.minimum(at.r, self.largest, out=at.r)
        gate, posterior = at.gate.view(-1, pixels), at.posterior.view(-1, pixels)
        torch.mul(at.q.unsqueeze(1), self.slope, out=at.gate).add_(self.gate_bias)
        gate.sub_(gate.amax(0))
        torch.mul(at.r.unsqueeze(1), self.slope, out=at.posterior).add_(self.expert_bias)
        posterior.add_(gate)
        highest = posterior.amax(0)
        posterior.sub_(highest)
        sum_gate = gate.clamp_min_(LEAST_EXPONENT).exp2_().sum(0)
        sum_posterior = posterior.clamp_min_(LEAST_EXPONENT).exp2_().sum(0)
        value = highest.add_(sum_posterior.log2()).sub_(sum_gate.log2()).mul_(math.log(2))
        return value, sum_gate, sum_posterior

    def _backward(
        self,
        x: Tensor,
        gate_scale: Tensor,
        posterior_scale: Tensor,
        sums: Terms | None,
        grad_x: Tensor | None,
        grad_y: Tensor | None,
    ) -> None:
        """Gradients of the chunk that `_forward` saw last; the scales make its arrays the (weighted) g and r."""
        rows, c, s, m = self.sizes
        pixels, terms, at = len(x), self.terms, self._arrays(len(x))
        z, residual = at.hidden[:rows], at.hidden[rows:].view(c, m, pixels)
        by_scale = terms.precision.unsqueeze(1)
        d_r = torch.bmm(by_scale, at.posterior, out=at.from_posterior).squeeze(1).mul_(posterior_scale).neg_()
        d_q = torch.bmm(by_scale, at.gate, out=at.from_gate).squeeze(1).mul_(gate_scale).add_(d_r)
        if sums is not None:
            hits = torch.mv(at.posterior.view(-1, pixels), posterior_scale).view(c, s)
            gate_hits = torch.mv(at.gate.view(-1, pixels), gate_scale).view(c, s)
            sums.expert.add_(hits)
            sums.eta.add_(hits).sub_(gate_hits)
            at.r.add_(at.q).mul_(posterior_scale)
            at.q.mul_(gate_scale)
            sums.precision.add_(torch.bmm(at.gate, at.q.unsqueeze(-1)).squeeze(-1))
            sums.precision.sub_(torch.bmm(at.posterior, at.r.unsqueeze(-1)).squeeze(-1))
        if terms.weights is None:
            z.view(c, rows // c, pixels).mul_(d_q.mul_(2).unsqueeze(1))
        else:
            if sums is not None and sums.weights is not None:
                sums.weights.add_(torch.mm(d_q, at.squares.t()))
            z.mul_(torch.mm(2 * terms.weights.t(), d_q, out=at.squares))
        d_r.mul_(2)
        if terms.factor is None:
            residual.mul_(d_r.unsqueeze(1))
        else:
            at.residual.mul_(d_r.unsqueeze(1))
            if sums is not None and sums.factor is not None:
                sums.factor.add_(torch.bmm(residual, at.residual.mT))
            torch.bmm(terms.factor, at.residual, out=residual)
        # `hidden` now holds the gradients of z and of the experts' means.
        if sums is not None:
            products = torch.mm(at.hidden, x)
            sums.projection.add_(products[:rows])
            sums.a.add_(products[rows:].view_as(sums.a))
            if sums.u is not None:
                sums.u.add_(residual.sum(-1))
        if grad_x is not None:
            torch.mm(at.hidden.t(), self.stack, out=grad_x)
        if grad_y is not None:
            grad_y.copy_(residual.sum(0).neg_().t())
