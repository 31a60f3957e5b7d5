"""RIDE, the recurrent image density estimator of section 2.3."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ride.errors import ConfigError, require_at_least
from ride.models.mcgsm import MCGSM
from ride.models.neighborhood import Neighborhood
from ride.models.sampling import draw_images
from ride.models.slstm import SpatialLSTM
from ride.models.slstm.diagonals import diagonals
from ride.models.slstm.layer import from_diagonals, to_diagonals
from ride.models.slstm.reference import LARGEST_MEMORY
from ride.models.slstm.workspace import Workspace
from ride.models.whitening import ConditionalWhitening
from ride.progress import Progress

BandState = list[tuple[Tensor, Tensor]]
"""Hidden and memory units [W', B, N] of the last row of a band, for each layer."""


@dataclass(frozen=True)
class RIDEConfig:
    """What a RIDE is made of. `layers=0` is the MCGSM on the causal neighborhood itself.

    Args:
        neighborhood: width of the causal neighborhood in pixels, odd.
        layers: number of spatial LSTMs stacked between the neighborhood and the MCGSM.
        hidden: hidden units of each spatial LSTM.
        extended: memory units are inputs of the gates too (section 3.3, "ext." in Table 3).
        largest_memory: size at which memory units end, 0.5 for images of any size; None for equation (6) as printed,
            where they may grow without end and do so on some images larger than the patches of training.
        given: other planes of an image that are known when this one is predicted, such as those of its colours: 1 is
            red - green given green, 2 is blue - green given both; None for none.
        channels: channels of a pixel, predicted jointly.
        components: mixture components of the MCGSM.
        scales: scales of each component.
        features: quadratic features of the factorised MCGSM; None for a full matrix K_c per component.
        means: experts have a mean of their own besides the linear prediction.
    """

    neighborhood: int = 5
    layers: int = 1
    hidden: int = 64
    extended: bool = False
    channels: int = 1
    components: int = 32
    scales: int = 4
    features: int | None = 32
    means: bool = False
    largest_memory: float | None = None
    given: int | None = None

    def __post_init__(self) -> None:
        require_at_least(1, self, "hidden", "channels", "components", "scales")
        if self.largest_memory is not None:
            object.__setattr__(self, "largest_memory", float(self.largest_memory))
        if self.layers < 0:
            raise ConfigError(f"layers must be 0 (an MCGSM) or more, not {self.layers}")
        if self.largest_memory is not None and not 0 < self.largest_memory <= LARGEST_MEMORY:
            raise ConfigError(
                f"largest_memory must be positive and at most {LARGEST_MEMORY:g}, not {self.largest_memory}"
            )
        if self.given is not None and (self.given < 1 or self.channels > 1):
            raise ConfigError(
                f"given must be at least 1 and channels 1, or given None, not {self.given} and {self.channels}"
            )
        if self.features is not None and self.features < 1:
            raise ConfigError(f"features must be at least 1, or None for full matrices, not {self.features}")

    @property
    def planes(self) -> int:
        """Channels of the images that are scored: those predicted, then those given."""
        return self.channels + (self.given or 0)

    def identity(self) -> dict[str, Any]:
        """What tells this configuration from others; what is None is left out, so that new settings keep old ones."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class RIDE(nn.Module):
    """Density model of images of any size: neighborhood, conditional whitening, spatial LSTMs, MCGSM.

    Images are [B, H, W] (one channel) or [B, H, W, M] in units of the full range. With a neighborhood of width w and
    radius r = w // 2, the (H - r) x (W - 2r) pixels that have a whole neighborhood are predicted, the others are
    given.
    """

    def __init__(self, config: RIDEConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RIDEConfig()
        self.neighborhood = Neighborhood(config.neighborhood, config.given or 0)
        self.whitening = ConditionalWhitening(config.channels * self.neighborhood.size, config.channels)
        self._workspace = Workspace()
        self.layers = nn.ModuleList()
        self.set_depth(config.layers)

    @property
    def stack(self) -> list[SpatialLSTM]:
        """The spatial LSTMs from the lowest to the highest."""
        return cast(list[SpatialLSTM], list(self.layers))

    def pairs(self, images: Float[Tensor, "B H W *M"]) -> tuple[Tensor, Tensor]:
        """Whitened neighborhoods [B, H', W', D] and pixels [B, H', W', M], equation (7).

        Raises:
            ConfigError: the images have another number of channels than the model.
            DataError: the images are smaller than the neighborhood.
        """
        channels = images.shape[3] if images.ndim == 4 else 1
        if channels != self.config.planes:
            raise ConfigError(f"this model is for {self.config.planes} channels, the images have {channels}")
        return self.whitening(*self.neighborhood.extract(images))

    def hidden_states(self, images: Float[Tensor, "B H W *M"]) -> tuple[Tensor, Tensor]:
        """What the MCGSM sees: its inputs [P, N] and the whitened pixels [P, M], in one order for both."""
        x, y = self.pairs(images)
        if not self.layers:
            return x.flatten(0, 2), y.flatten(0, 2)
        grid = diagonals(*x.shape[1:3])
        h = to_diagonals(x, grid)
        for layer in self.stack:
            h = layer.diagonal(h, grid)
        return h.flatten(0, 1), to_diagonals(y, grid).flatten(0, 1)

    def log_prob(self, images: Float[Tensor, "B H W *M"]) -> Float[Tensor, "B H2 W2"]:
        """Log-likelihood of every predicted pixel given the pixels before it, in nats, all channels together."""
        batch, (height, width) = images.shape[0], self.neighborhood.predicted_shape(*images.shape[1:3])
        values = self.head.log_prob(*self.hidden_states(images)) + self.whitening.log_jacobian
        if not self.layers:
            return values.view(batch, height, width)
        grid = diagonals(height, width)
        return from_diagonals(values.view(-1, batch, 1), grid, height).squeeze(-1)

    def mean_log_prob(self, images: Float[Tensor, "B H W *M"]) -> Float[Tensor, ""]:
        """Mean of `log_prob` over all predicted pixels, its gradient computed along the way: for training."""
        return self.head.mean_log_prob(*self.hidden_states(images)) + self.whitening.log_jacobian

    @torch.no_grad()
    def log_prob_band(
        self, images: Float[Tensor, "B H W *M"], state: BandState | None = None
    ) -> tuple[Float[Tensor, "B H2 W2"], BandState]:
        """`log_prob` of a band of rows below a band already scored; no gradient.

        The band starts with the last `radius` rows of the band before, and `state` is what that call returned.
        """
        batch, (height, width) = images.shape[0], self.neighborhood.predicted_shape(*images.shape[1:3])
        if not self.layers:
            x, y = self.pairs(images)
            values = self.head.log_prob(x.flatten(0, 2), y.flatten(0, 2)) + self.whitening.log_jacobian
            return values.view(batch, height, width), []
        h, y, _, after = self.hidden_band(images, state)
        values = self.head.log_prob(h.flatten(0, 1), y.flatten(0, 1))
        values = values.view(-1, batch, 1) + self.whitening.log_jacobian
        return from_diagonals(values, diagonals(height, width), height).squeeze(-1), after

    @torch.no_grad()
    def hidden_band(
        self, images: Float[Tensor, "B H W *M"], state: BandState | None = None
    ) -> tuple[Float[Tensor, "P B N"], Float[Tensor, "P B M2"], Int[Tensor, " P"], BandState]:
        """What the MCGSM sees in a band of rows below a given state; no gradient.

        Its inputs, the whitened pixels, the raster index of the cells in whose order both are, and the state of the
        last row, which `log_prob_band` explains.
        """
        x, y = self.pairs(images)
        grid = diagonals(*x.shape[1:3])
        h, after = to_diagonals(x, grid), []
        for number, layer in enumerate(self.stack):
            h, last = layer.continued(h, grid, state[number] if state else None)
            after.append(last)
        return h, to_diagonals(y, grid), grid.on(x.device).order, after

    def fit_whitening(self, images: Iterable[Float[Tensor, "B H W *M"]]) -> None:
        """Fit the conditional whitening, equation (7), on batches of images."""
        self.whitening.fit(self.neighborhood.extract(batch) for batch in images)

    def set_depth(self, layers: int) -> None:
        """Put new spatial LSTMs on top or take the top ones off, with a new MCGSM; the layers below stay."""
        config = self.config = replace(self.config, layers=layers)
        like = self.whitening.mean_out
        inputs = config.channels * self.neighborhood.size
        kept = self.stack[:layers]
        for depth in range(len(kept), layers):
            size = config.hidden if depth else inputs
            layer = SpatialLSTM(size, config.hidden, config.extended, config.largest_memory or LARGEST_MEMORY).to(like)
            # Scoring visits one layer after the other: they need the memory of one.
            layer.workspace = self._workspace
            kept.append(layer)
        self.layers = nn.ModuleList(kept)
        self.head = MCGSM(
            config.hidden if layers else inputs,
            config.channels,
            config.components,
            config.scales,
            config.features,
            config.means,
        ).to(like)

    def sample(
        self,
        height: int,
        width: int,
        *,
        batch: int = 1,
        seed: int = 0,
        values: Tensor | None = None,
        bounds: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Draw images [batch, height, width(, M)]; image k depends on (seed, k) only. See `draw_images`."""
        return draw_images(
            self, height, width, batch=batch, seed=seed, values=values, bounds=bounds, progress=progress
        )
