"""Log-likelihood of many pixels under an MCGSM, with its gradient written by hand.

With lambda = e^alpha / 2, Q_c = x^T K_c x, R_c = ||L_c^T (y - A_c x - u_c)||^2 and the logarithm of the
normalising constant of an expert, h = log|L| + M/2 (alpha - log 2 pi), equations (3) to (5) are

    log p(y | x) = LSE_cs[eta + h - lambda (Q + R)] - LSE_cs[eta - lambda Q].

With the two softmaxes over (c, s), the posterior r and the gate g, the gradient is

    dQ_c = -sum_s lambda (r - g),    dR_c = -sum_s lambda r,    dlambda = -sum_pixels (r (Q + R) - g Q),

and everything else follows by the chain rule through Q = W z^2, z = B x: O(CF + FN + CN) a pixel.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from ride.models.mcgsm import native
from ride.models.mcgsm.plain import PlainSweep
from ride.models.mcgsm.sweep import Sweep
from ride.models.mcgsm.terms import Terms

__all__ = ["Terms", "log_prob", "mean_log_prob"]


def log_prob(x: Float[Tensor, "P N"], y: Float[Tensor, "P M"], terms: Terms) -> Float[Tensor, " P"]:
    """Log-likelihood of each pixel; the backward pass computes every chunk anew."""
    if torch.is_grad_enabled() and _any_gradient(x, y, terms):
        return _LogProb.apply(x, y, *terms)
    return _sweep(x, y, terms).values()


def mean_log_prob(x: Float[Tensor, "P N"], y: Float[Tensor, "P M"], terms: Terms) -> Float[Tensor, ""]:
    """Mean log-likelihood; gradients are computed along with it, and the backward pass only scales them."""
    if torch.is_grad_enabled() and _any_gradient(x, y, terms):
        return _MeanLogProb.apply(x, y, *terms)
    return _sweep(x, y, terms).values().mean(dtype=torch.float64).to(x.dtype)


def _any_gradient(x: Tensor, y: Tensor, terms: Terms) -> bool:
    return any(t is not None and t.requires_grad for t in (x, y, *terms))


class _LogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, *terms: Any) -> Tensor:
        ctx.save_for_backward(x, y, *terms)
        return _sweep(x, y, Terms(*terms)).values()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, y, *terms = ctx.saved_tensors
        return tuple(_sweep(x, y, Terms(*terms)).gradients(ctx.needs_input_grad, grad.contiguous())[1])


class _MeanLogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, *terms: Any) -> Tensor:
        ctx.save_for_backward(x, y, *terms)
        total, ctx.gradients = _sweep(x, y, Terms(*terms)).gradients(ctx.needs_input_grad)
        return (total / len(x)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # Scaled in place, as fresh memory costs more than the product: a second backward pass starts anew.
        gradients, ctx.gradients = ctx.gradients, None
        x, y, *terms = ctx.saved_tensors
        if gradients is None:
            gradients = _sweep(x, y, Terms(*terms)).gradients(ctx.needs_input_grad)[1]
        return tuple(g if g is None else g.mul_(grad / len(x)) for g in gradients)


def _sweep(x: Tensor, y: Tensor, terms: Terms) -> Sweep:
    compiled = terms.weights is not None and native.usable(terms.a)
    return (native.NativeSweep if compiled else PlainSweep)(x, y, terms)
