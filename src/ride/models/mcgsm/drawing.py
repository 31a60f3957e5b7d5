"""Drawing from an MCGSM again and again: what does not depend on x is computed once."""

import torch
from jaxtyping import Float
from torch import Tensor

from ride.models.mcgsm import native
from ride.models.mcgsm.module import MCGSM


class Drawing:
    """`MCGSM.draw` with fixed parameters, for many small batches of pixels in turn; no gradient."""

    @torch.no_grad()
    def __init__(self, model: MCGSM) -> None:
        c, s, m = model.components, model.scales, model.outputs
        if model.features is None:
            projection, energy = model.k_cholesky.tril().mT.flatten(0, 1), None
        else:
            projection, energy = model.b, model.beta.square().mT
        self.energies = len(projection)
        self.components, self.channels = c, m
        self.stack = torch.cat([projection, model.a.flatten(0, 1)]).t().contiguous()
        slope = -0.5 * model.alpha.exp()
        self.eta = model.eta.flatten()
        component = torch.arange(c, device=slope.device).repeat_interleave(s)
        if energy is None:
            self.slope = slope.new_zeros(c, c * s)
            self.slope[component, torch.arange(c * s, device=slope.device)] = slope.flatten()
        else:
            self.slope = (energy.unsqueeze(-1) * slope).flatten(1)
        self.sums_components = energy is None
        deviation = (-0.5 * model.alpha).exp().flatten()
        identity = torch.eye(m, dtype=slope.dtype, device=slope.device)
        inverse = torch.linalg.solve_triangular(model.factor(), identity, upper=False)
        # One more entry, for a gate that is not a number and so has no place for u.
        component = torch.cat([component, component[-1:]])
        deviation = torch.cat([deviation, deviation[-1:]])
        self.deviation = deviation.view(-1, 1, 1) * inverse[component]
        self.mean_at = component.unsqueeze(-1) * m + torch.arange(m, device=slope.device)
        self.offset = None if model.u is None else model.u[component]
        self.compiled = native.NativeChoice(model.a, model.u, model.alpha) if native.usable(model.a) else None

    @torch.no_grad()
    def draw(self, x: Float[Tensor, "P N"], u: Float[Tensor, " P"], z: Float[Tensor, "P M"]) -> Float[Tensor, "P M"]:
        """Return what `MCGSM.draw` returns."""
        hidden = x @ self.stack
        squares = hidden[:, : self.energies].square()
        if self.sums_components:
            squares = squares.view(len(x), self.components, -1).sum(-1)
        logits = torch.addmm(self.eta, squares, self.slope)
        if self.compiled:
            return self.compiled.draw(logits, hidden[:, self.energies :], u, z)
        gate = logits.softmax(-1)
        cumulative = gate.cumsum(-1, dtype=torch.float64)
        level = cumulative[:, -1:] * u.unsqueeze(-1)
        chosen = torch.searchsorted(cumulative, level, right=True).squeeze(-1)
        mean = hidden[:, self.energies :].gather(1, self.mean_at.index_select(0, chosen))
        if self.offset is not None:
            mean += self.offset.index_select(0, chosen)
        deviation = self.deviation.index_select(0, chosen)
        if self.channels == 1:
            return mean.addcmul_(deviation.squeeze(-1), z)
        return mean.add_((z.unsqueeze(1) @ deviation).squeeze(1))
