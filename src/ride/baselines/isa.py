"""Independent subspace analysis (Hyvärinen & Hoyer, 2000) and independent component analysis (Bell & Sejnowski, 1997),
which is the same with subspaces of one dimension."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from ride.baselines.trained import Call, TrainedConfig, TrainedDensity
from ride.data import seeded
from ride.errors import require_at_least
from ride.models.whitening import ConditionalWhitening

PAIRED = 50_000
"""Patches from which it is seen which components belong together."""


@dataclass(frozen=True)
class ISAConfig(TrainedConfig):
    """Sizes of an ISA and how it is trained.

    Args:
        subspace: dimensions N of a subspace, 1 for ICA; the last one is smaller where the patch does not divide.
        scales: Gaussians S in the density of a subspace.
        steps: batches to draw; for subspaces, as many before for the components that they are made of.
        batch: patches a step.
        rate: learning rate of Adam.
        held_out: the first so many of the held-out patches, which must be in no order, choose the best parameters.

    Raises:
        ConfigError: a size makes no sense.
    """

    subspace: int = 2
    scales: int = 8
    steps: int = 10_000
    batch: int = 1000
    rate: float = 5e-3
    held_out: int = 50_000
    longest_warmup = 100

    def __post_init__(self) -> None:
        require_at_least(1, self, "subspace", "scales", "steps", "batch", "held_out")


class ISA(TrainedDensity):
    """Complete ISA without noise: as many filters as pixels, in subspaces that are independent of each other.

        y = C^(-1/2) (x - m),    log p(x) = sum_k log p_k(|W_k y|) + log|det W| + log|det C^(-1/2)|
        p_k(s) = sum_j pi_kj N(s; 0, I / lambda_kj)

    The density of a subspace is a Gaussian scale mixture with weights and scales of its own. With enough scales that
    comes close to any density of elliptic contours whose tails are heavier than a Gaussian's: in one dimension to
    Laplace's, Student's or the logistic density, so that none has to be chosen.

    Args:
        dimension: D, pixels of a patch.
        config: sizes and training.

    Raises:
        ConfigError: the dimension makes no sense.
    """

    name = "ISA"
    config: ISAConfig
    sizes: Tensor

    def __init__(self, dimension: int, config: ISAConfig | None = None) -> None:
        super().__init__(dimension, config or ISAConfig())
        subspaces = -(-dimension // self.config.subspace)
        sizes = torch.full((subspaces,), float(self.config.subspace))
        sizes[-1] = dimension - (subspaces - 1) * self.config.subspace
        self.register_buffer("sizes", sizes, persistent=False)
        self.whitening = ConditionalWhitening(0, dimension)
        self.w = nn.Parameter(torch.empty(dimension, dimension))
        self.logits = nn.Parameter(torch.empty(subspaces, self.config.scales))
        self.log_lambda = nn.Parameter(torch.empty(subspaces, self.config.scales))
        self.reset_parameters(seeded(0, self.name))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial parameters: any rotation for the filters, and scales from 0.1 to 4."""
        noise = torch.randn(self.w.shape, generator=generator, dtype=torch.float64)
        self.w.copy_(torch.linalg.qr(noise).Q)
        self.logits.zero_()
        self.log_lambda.copy_(torch.linspace(-2 * math.log(4), -2 * math.log(0.1), self.config.scales))

    def _begin(self, patches: Tensor, held_out: Tensor, call: Call) -> None:
        """Subspaces begin as components of ICA whose energies are correlated, since from anywhere else they end as
        pairs of the wrong components. ICA itself begins with a random rotation."""
        if self.config.subspace == 1:
            super()._begin(patches, held_out, call)
            return
        single = ISA(self.dimension, replace(self.config, subspace=1)).to(patches)
        first = call.directory / "components" if call.directory else None
        single.fit(patches, held_out, seed=call.seed, length=call.length, directory=first, progress=call.progress)
        self.whitening.load_state_dict(single.whitening.state_dict())
        self.reset_parameters(seeded(call.seed, self.name))
        self._gather(single, patches[:PAIRED])

    @torch.no_grad()
    def _gather(self, single: "ISA", patches: Tensor) -> None:
        """Take the filters of ICA, those side by side whose energies go together."""
        components = linear(self.whitening.whiten_outputs(patches[:, :0], patches), single.w)
        scales = components.std(0, keepdim=True)
        # Of logarithms, which no single patch decides.
        energies = ((components / scales).square() + 0.1).log()
        order = grouped(energies.mT.corrcoef(), self.config.subspace)
        self.w.copy_((single.w / scales.mT)[order])

    def filters(self) -> Float[Tensor, "D D"]:
        """Filters of the patches, W C^(-1/2): a row for each component, subspace after subspace."""
        return self.w @ self.whitening.whiten_out

    def _log_density(self, x: Tensor) -> Tensor:
        components = linear(self.whitening.whiten_outputs(x[:, :0], x), self.w)
        whole = pad(components, (0, len(self.sizes) * self.config.subspace - self.dimension))
        energy = whole.unflatten(1, (-1, self.config.subspace)).square().sum(-1, keepdim=True)
        constant = self.logits.log_softmax(-1) + 0.5 * self.sizes.unsqueeze(1) * (
            self.log_lambda - math.log(2 * math.pi)
        )
        log_probs = (constant - 0.5 * self.log_lambda.exp() * energy).logsumexp(-1)
        return log_probs.sum(-1) + torch.linalg.slogdet(self.w).logabsdet + self.whitening.log_jacobian


def grouped(likeness: Float[Tensor, "D D"], size: int) -> list[int]:
    """All numbers 0 ... D - 1 in an order in which each `size` of them are alike: the two that are most alike, then
    what is most like all of those, until the group is full; then the next group from what remains."""
    likeness, order = likeness.clone(), list[int]()
    likeness.fill_diagonal_(-math.inf)
    free = set(range(len(likeness)))
    while free:
        rest = sorted(free)
        among = likeness[rest][:, rest]
        group = [rest[int(among.max(1).values.argmax())]]
        while len(group) < min(size, len(rest)):
            others = [k for k in rest if k not in group]
            group.append(others[int(likeness[others][:, group].sum(1).argmax())])
        free -= set(group)
        order += group
    return order
