"""RNADE, the real-valued neural autoregressive density estimator: Uria, Murray & Larochelle (2013)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.baselines.conditionals import LinearPrediction, log_mixture, start_mixtures
from ride.baselines.running import RunningHidden
from ride.baselines.trained import TrainedConfig, TrainedDensity
from ride.data import seeded
from ride.errors import require_at_least


@dataclass(frozen=True)
class RNADEConfig(TrainedConfig):
    """Sizes of an RNADE and how it is trained.

    Args:
        hidden: units H.
        components: Gaussians K in the conditional of a pixel.
        linear: model what the linear prediction from the pixels before leaves over; otherwise each pixel is
            standardised for itself, as in the paper.
        steps: batches to draw.
        batch: patches a step.
        rate: learning rate of Adam.
        held_out: the first so many of the held-out patches, which must be in no order, choose the best parameters.

    Raises:
        ConfigError: a size makes no sense.
    """

    hidden: int = 512
    components: int = 10
    linear: bool = True
    steps: int = 20_000
    batch: int = 200
    rate: float = 3e-3
    held_out: int = 20_000
    longest_warmup = 200

    def __post_init__(self) -> None:
        require_at_least(1, self, "hidden", "components", "steps", "batch", "held_out")


class RNADE(TrainedDensity):
    """Conditionals of the pixels in their order, with hidden units whose weights all of them share.

        p(x)    = prod_d p(x_d | x_1, ..., x_(d-1))
        a_1     = c,    a_(d+1) = a_d + x_d w_d,    h_d = relu(rho_d a_d)

    Each conditional is a mixture of K Gaussians whose logits, means and log-scales are linear in h_d.

    Args:
        dimension: D, pixels of a patch.
        config: sizes and training.

    Raises:
        ConfigError: the dimension makes no sense.
    """

    name = "RNADE"
    config: RNADEConfig

    def __init__(self, dimension: int, config: RNADEConfig | None = None) -> None:
        super().__init__(dimension, config or RNADEConfig())
        hidden, components = self.config.hidden, self.config.components
        self.prediction = LinearPrediction(dimension, self.config.linear)
        self.w = nn.Parameter(torch.empty(dimension - 1, hidden))
        self.c = nn.Parameter(torch.empty(hidden))
        self.rho = nn.Parameter(torch.empty(dimension))
        self.v = nn.Parameter(torch.empty(dimension, 3 * components, hidden))
        self.bias = nn.Parameter(torch.empty(dimension, 3, components))
        """Of logits, means and log-scales."""
        self.reset_parameters(seeded(0, self.name))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial parameters; rho_d is such that all h_d have the same size."""
        self.w.copy_(torch.randn(self.w.shape, generator=generator))
        self.c.copy_(torch.randn(self.c.shape, generator=generator))
        self.rho.copy_(torch.arange(1, self.dimension + 1).rsqrt())
        self.v.copy_(torch.randn(self.v.shape, generator=generator) * (0.1 / math.sqrt(self.config.hidden)))
        start_mixtures(self.bias.transpose(0, 1))

    def _standardize(self, patches: Tensor) -> None:
        self.prediction.fit(patches)

    def _log_density(self, x: Tensor) -> Tensor:
        white, log_scale = self._white(x)
        raw = RunningHidden.apply(white, self.w, self.c, self.rho, self.v)
        conditionals = (raw.unflatten(-1, self.bias.shape[1:]) + self.bias.unsqueeze(1)).unbind(2)
        return log_mixture(white, *conditionals).sum(0) - log_scale

    def _white(self, x: Tensor) -> tuple[Float[Tensor, "D P"], Float[Tensor, ""]]:
        """What linear prediction leaves over, in units of its standard deviation; the sum of the logs of those."""
        factor = self.prediction.factor(torch.arange(self.dimension, device=x.device))
        white = torch.linalg.solve_triangular(factor, (x - self.prediction.mean).mT, upper=False)
        return white, factor.diagonal().log().sum()
