"""Deep mixtures of Gaussians (van den Oord & Schrauwen, "Factoring variations in natural images with deep Gaussian
mixture models", 2014)."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.baselines.scoring import in_chunks
from ride.baselines.trained import TrainedConfig, TrainedDensity
from ride.data import seeded
from ride.errors import ConfigError
from ride.models.whitening import ConditionalWhitening


@dataclass(frozen=True)
class DeepGMMConfig(TrainedConfig):
    """Sizes and training of a `DeepGMM`.

    Args:
        transformations: of each layer, from the one next to the data to the one next to the Gaussian.
        steps: of stochastic gradients.
        batch: patches a step.
        rate: learning rate after the warm-up.
        rate_end: learning rate at the end.

    Raises:
        ConfigError: there is no layer, or one without transformations.
    """

    transformations: tuple[int, ...] = (5, 5, 20)
    steps: int = 7500
    batch: int = 2000
    rate: float = 5e-3
    rate_end: float = 1e-5

    def __post_init__(self) -> None:
        if not self.transformations or min(self.transformations) < 1:
            raise ConfigError(
                f"a deep GMM needs a layer or more with at least 1 transformation each, not {self.transformations}"
            )


class DeepGMM(TrainedDensity):
    """A deep mixture of Gaussians: one linear transformation of each layer, chosen by a path, makes x from z.

        x = A_1j (A_2k (... (A_Lm z + b_Lm) ...) + b_2k) + b_1j,    z ~ N(0, I),

    where a path (j, k, ..., m) has probability pi_jk...m, so that p(x) is a mixture with a Gaussian for each path,
    whose parameters are shared: 500 Gaussians of 5, 5 and 20 transformations. x is whitened first. What is learned are
    the inverses `w` = A^-1 [J, D, D] and the shifts `b` [J, D] of each layer, and `logits` of the paths
    [J_1, ..., J_L].

    Energies of all paths are computed as in a mixture of Gaussians: the inverse maps of the paths are multiplied out,
    and squares are linear in the products of two coordinates, of which x has no more than its D (D + 1) / 2.

    Args:
        dimension: D, numbers of a patch.
        config: sizes and training.
    """

    name = "deep GMM"
    config: DeepGMMConfig

    def __init__(self, dimension: int, config: DeepGMMConfig | None = None) -> None:
        super().__init__(dimension, config or DeepGMMConfig())
        self.whitening = ConditionalWhitening(0, dimension)
        layers = self.config.transformations
        self.w = nn.ParameterList([nn.Parameter(torch.empty(count, dimension, dimension)) for count in layers])
        self.b = nn.ParameterList([nn.Parameter(torch.empty(count, dimension)) for count in layers])
        self.logits = nn.Parameter(torch.empty(layers))
        self.reset_parameters(seeded(0, self.name))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Begin with paths that differ in scale and a little in everything else: patches differ most in contrast."""
        self.logits.zero_()
        for w, b in zip(self.w, self.b, strict=True):
            count = len(w)
            spread = torch.linspace(-1, 1, count) if count > 1 else torch.zeros(1)
            noise = torch.randn(w.shape, generator=generator) * (0.2 / math.sqrt(self.dimension))
            w.copy_(spread.exp()[:, None, None] * (torch.eye(self.dimension) + noise))
            b.zero_()

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-density of each patch in nats, exact; memory beyond the result does not grow with their number."""
        self._check(x)
        quadratic, constant = self._paths()
        return in_chunks(lambda part: self._log_prob(part, quadratic, constant), x)

    def mean_log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, ""]:
        """Mean log-density of patches in nats, with gradients."""
        return self._log_prob(x, *self._paths()).mean()

    objective = mean_log_prob

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Float[Tensor, "{count} D"]:
        """Draw patches."""
        u = torch.randn(count, self.dimension, generator=generator).to(self.logits)
        paths = torch.multinomial(self.logits.flatten().softmax(0).cpu(), count, True, generator=generator)
        for index, w, b in list(zip(torch.unravel_index(paths, self.logits.shape), self.w, self.b, strict=True))[::-1]:
            chosen = index.to(w.device)
            u = torch.linalg.solve(w[chosen], u) + b[chosen]
        return self.whitening.invert_outputs(u[:, :0], u)

    def _settings(self) -> dict[str, Any]:
        return {"deep_gmm": vars(self.config)}

    def _paths(self) -> tuple[Float[Tensor, "K F"], Float[Tensor, " K"]]:
        """What log p(x, path) is made of, for each path: weights of the features of `_features`, and a constant."""
        size = self.dimension
        # The inverse map of a path, applied to x with a 1 behind it; beside it the logarithm of its determinant.
        maps = torch.eye(size, size + 1).to(self.logits).unsqueeze(0)
        volume = self.logits.new_zeros(1)
        for w, b in zip(self.w, self.b, strict=True):
            shifted = torch.cat(
                [maps[:, None, :, :-1].expand(-1, len(b), -1, -1), maps[:, None, :, -1:] - b[:, :, None]], -1
            )
            maps = (w @ shifted).flatten(0, 1)
            volume = (volume[:, None] + torch.linalg.slogdet(w).logabsdet).flatten()
        rows, columns = torch.triu_indices(size + 1, size + 1, device=maps.device)
        quadratic = (maps.mT @ maps)[:, rows, columns] * torch.where(rows == columns, -0.5, -1.0).to(maps)
        constant = volume + self.logits.flatten().log_softmax(0) - 0.5 * size * math.log(2 * math.pi)
        return quadratic, constant

    def _log_prob(self, x: Tensor, quadratic: Tensor, constant: Tensor) -> Tensor:
        u = self.whitening.whiten_outputs(x[:, :0], x)
        joint = torch.addmm(constant, _features(u), quadratic.mT)
        return joint.logsumexp(-1) + self.whitening.log_jacobian


def _features(u: Float[Tensor, "P D"]) -> Float[Tensor, "P F"]:
    """All products of two coordinates of u with a 1 behind it, each once."""
    u = torch.cat([u, u.new_ones(len(u), 1)], -1)
    rows, columns = torch.triu_indices(u.shape[1], u.shape[1], device=u.device)
    return u[:, rows] * u[:, columns]
