"""The hidden units of NADE, whose activation grows by one input at a time, with gradients in the same time and memory
as the values: Larochelle & Murray (2011)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class RunningHidden(torch.autograd.Function):
    """Linear functions of h_d = relu(rho_d a_d) with a_1 = c and a_(d+1) = a_d + x_d w_d, for each d.

    Called as `apply(x, w, c, rho, v)` with x [D, P], w [D - 1, H], c [H], rho [D] and v [D, M, H]; returns v_d h_d,
    [D, P, M]. The backward pass takes a_d down again instead of keeping all of them. There is no gradient for x.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "D P"],
        w: Float[Tensor, "{len(x)-1} H"],
        c: Float[Tensor, " H"],
        rho: Float[Tensor, " D"],
        v: Float[Tensor, "D M H"],
    ) -> Float[Tensor, "D P M"]:
        """The linear functions."""
        activation = c.repeat(x.shape[1], 1)
        outputs = x.new_empty(len(x), x.shape[1], v.shape[1])
        for d in range(len(x)):
            if d:
                activation.addr_(x[d - 1], w[d - 1])
            torch.mm((activation * rho[d]).relu_(), v[d].mT, out=outputs[d])
        ctx.save_for_backward(x, w, rho, v, activation)
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of w, c, rho and v."""
        x, w, rho, v, last = ctx.saved_tensors
        activation, below = last.clone(), torch.zeros_like(last)
        of_w, of_rho, of_v = torch.empty_like(w), torch.empty_like(rho), torch.empty_like(v)
        for d in reversed(range(len(x))):
            hidden = (activation * rho[d]).relu_()
            torch.mm(slopes[d].mT, hidden, out=of_v[d])
            of_product = torch.mm(slopes[d], v[d]).mul_(hidden > 0)
            of_rho[d] = torch.dot(of_product.flatten(), activation.flatten())
            below.add_(of_product.mul_(rho[d]))
            if d:
                torch.mv(below.mT, x[d - 1], out=of_w[d - 1])
                activation.addr_(x[d - 1], w[d - 1], alpha=-1)
        return None, of_w, below.sum(0), of_rho, of_v
