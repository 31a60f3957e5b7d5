"""RNADE, the real-valued neural autoregressive density estimator: Uria, Murray & Larochelle (2013)."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.baselines.conditionals import LinearPrediction, log_mixture, start_mixtures
from ride.baselines.running import RunningHidden
from ride.baselines.scoring import check_patches, in_chunks
from ride.data import seeded
from ride.errors import ConfigError
from ride.progress import Progress
from ride.training.patches import PatchFitConfig, fit_patches


@dataclass(frozen=True)
class RNADEConfig:
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

    def __post_init__(self) -> None:
        for name in ("hidden", "components", "steps", "batch", "held_out"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")


class RNADE(nn.Module):
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

    def __init__(self, dimension: int, config: RNADEConfig | None = None) -> None:
        super().__init__()
        if dimension < 1:
            raise ConfigError(f"a patch has at least 1 pixel, not {dimension}")
        self.dimension, self.config = dimension, config or RNADEConfig()
        hidden, components = self.config.hidden, self.config.components
        self.prediction = LinearPrediction(dimension, self.config.linear)
        self.w = nn.Parameter(torch.empty(dimension - 1, hidden))
        self.c = nn.Parameter(torch.empty(hidden))
        self.rho = nn.Parameter(torch.empty(dimension))
        self.v = nn.Parameter(torch.empty(dimension, 3 * components, hidden))
        self.bias = nn.Parameter(torch.empty(dimension, 3, components))
        """Of logits, means and log-scales."""
        self.reset_parameters(seeded(0, "RNADE"))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial parameters; rho_d is such that all h_d have the same size."""
        self.w.copy_(torch.randn(self.w.shape, generator=generator))
        self.c.copy_(torch.randn(self.c.shape, generator=generator))
        self.rho.copy_(torch.arange(1, self.dimension + 1).rsqrt())
        self.v.copy_(torch.randn(self.v.shape, generator=generator) * (0.1 / math.sqrt(self.config.hidden)))
        start_mixtures(self.bias.transpose(0, 1))

    def fit(
        self,
        patches: Float[Tensor, "P D"],
        held_out: Float[Tensor, "V D"],
        *,
        seed: int = 0,
        length: float = 1.0,
        directory: Path | None = None,
        progress: Progress | None = None,
    ) -> float:
        """Maximise the mean log-likelihood by stochastic gradients, in place.

        Args:
            patches: to learn from.
            held_out: the first `config.held_out` of them choose the best parameters.
            seed: of parameters and batches.
            length: of the training, in parts of `config.steps`.
            directory: of the run; the same call goes on from there.
            progress: called with the steps made and all.

        Returns: the best mean log-likelihood of the held-out patches in nats per patch.

        Raises:
            ConfigError: training diverged, the patches do not fit, or the directory holds another run.
            DataError: there are too few patches, or they are not finite.
            OutputError: the directory cannot be written.
        """
        for some in (patches, held_out):
            self._check(some)
        self.prediction.fit(patches)
        self.reset_parameters(seeded(seed, "RNADE"))
        steps = max(1, round(length * self.config.steps))
        config = PatchFitConfig(
            steps, self.config.batch, self.config.rate, self.config.rate / 100, min(steps, 200), seed=seed
        )
        return fit_patches(
            self,
            lambda x: self._log_density(x).mean(),
            patches,
            held_out[: self.config.held_out],
            config,
            settings={"RNADE": asdict(self.config), "dimension": self.dimension},
            directory=directory,
            progress=progress,
        )

    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-likelihood of each patch, exact, in nats."""
        self._check(x)
        return in_chunks(self._log_density, x)

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

    def _check(self, x: Tensor) -> None:
        check_patches(x, self.dimension, self.bias.dtype, "RNADE")
