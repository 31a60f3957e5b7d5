"""RIDE on patches of fixed size that are padded, so that every pixel has a whole neighborhood (section 3.2)."""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad

from ride.errors import ConfigError, require_at_least
from ride.models.mcgsm import MCGSM
from ride.models.neighborhood import Neighborhood
from ride.models.slstm import SpatialLSTM
from ride.models.slstm.diagonals import diagonals
from ride.models.slstm.layer import from_diagonals, to_diagonals
from ride.models.slstm.workspace import Workspace
from ride.models.whitening import ConditionalWhitening


@dataclass(frozen=True)
class PatchRIDEConfig:
    """What a RIDE of patches is made of. `layers=0` is one MCGSM on the padded neighborhood for all pixels.

    Args:
        side: of the square patches.
        drop_last: patches have no bottom-right pixel, as it is dropped with the DC component.
        indicators: the network is told which pixels of a neighborhood are padding.
        neighborhood: width of the causal neighborhood in pixels, odd.
        layers: number of spatial LSTMs stacked between the neighborhood and the MCGSM.
        hidden: hidden units of each spatial LSTM.
        extended: memory units are inputs of the gates too.
        components: mixture components of the MCGSM.
        scales: scales of each component.
        features: quadratic features of the factorised MCGSM.
        means: experts have a mean of their own besides the linear prediction.

    Raises:
        ConfigError: a number makes no sense.
    """

    side: int = 8
    drop_last: bool = True
    indicators: bool = False
    neighborhood: int = 5
    layers: int = 2
    hidden: int = 64
    extended: bool = False
    components: int = 32
    scales: int = 4
    features: int = 32
    means: bool = False

    def __post_init__(self) -> None:
        require_at_least(1, self, "side", "hidden", "components", "scales", "features")
        if self.layers < 0:
            raise ConfigError(f"layers must be 0 (an MCGSM) or more, not {self.layers}")
        if self.dimension < 1:
            raise ConfigError("a patch of one pixel has none left when its last is dropped")

    @property
    def dimension(self) -> int:
        """Numbers of a patch."""
        return self.side**2 - self.drop_last


class PatchRIDE(nn.Module):
    """Density of patches [P, D], row by row: neighborhood, conditional whitening, spatial LSTMs, MCGSM.

    `radius` rows above a patch and as many columns on either side are filled with the mean pixel, which is zero
    where the DC component was removed. All pixels are predicted; without the last one (`drop_last`) it has no part in
    anything. The parameters are those of a RIDE, shared by all pixels of the patch.
    """

    mean: Tensor
    padding: Tensor

    def __init__(self, config: PatchRIDEConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PatchRIDEConfig()
        self.dimension = config.dimension
        self.neighborhood = Neighborhood(config.neighborhood)
        inputs = self.neighborhood.size
        self.whitening = ConditionalWhitening(inputs, 1)
        self.register_buffer("mean", torch.zeros(()))  # of all pixels
        # Which neighbors of each pixel are padding: it follows from the sizes, so that no file has to hold it.
        self.register_buffer("padding", self._padding().float(), persistent=False)
        if config.indicators:
            inputs *= 2
        layers, space = [], Workspace()
        for depth in range(config.layers):
            layer = SpatialLSTM(config.hidden if depth else inputs, config.hidden, config.extended)
            # Scoring visits one layer after the other: they need the memory of one.
            layer.workspace = space
            layers.append(layer)
        self.layers = nn.ModuleList(layers)
        self.head = MCGSM(
            config.hidden if layers else inputs,
            1,
            config.components,
            config.scales,
            config.features,
            config.means,
        )

    @property
    def stack(self) -> list[SpatialLSTM]:
        """The spatial LSTMs from the lowest to the highest."""
        return cast(list[SpatialLSTM], list(self.layers))

    def hidden_states(self, x: Float[Tensor, "P D"]) -> tuple[Float[Tensor, "Q N"], Float[Tensor, "Q 1"]]:
        """What the MCGSM sees: its inputs and the whitened pixels, Q = D P, in diagonal order within patches.

        Raises:
            ConfigError: the patches have another number of pixels.
        """
        neighbors, pixels = self.neighborhood.extract(self._padded(x))
        inputs, y = self.whitening(neighbors, pixels)
        if self.config.indicators:
            inputs = torch.cat([inputs, self.padding.to(inputs).expand(len(x), -1, -1, -1)], dim=-1)
        grid = diagonals(self.config.side, self.config.side)
        h, y = to_diagonals(inputs, grid), to_diagonals(y, grid)
        for layer in self.stack:
            h = layer.diagonal(h, grid)
        # The last pixel is a diagonal of its own, the last one.
        return h[: self.dimension].flatten(0, 1), y[: self.dimension].flatten(0, 1)

    def log_probs(self, x: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Log-likelihood of each pixel given those before it in nats."""
        values = self.head.log_prob(*self.hidden_states(x)) + self.whitening.log_jacobian
        values = values.view(self.dimension, len(x), 1)
        side = self.config.side
        values = torch.cat([values, values.new_zeros(side**2 - self.dimension, len(x), 1)])
        return from_diagonals(values, diagonals(side, side), side).flatten(1)[:, : self.dimension]

    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-likelihood in nats per patch."""
        values = self.head.log_prob(*self.hidden_states(x)) + self.whitening.log_jacobian
        return values.view(self.dimension, len(x)).sum(0)

    def mean_log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, ""]:
        """Mean of `log_prob` over patches, its gradient computed along the way: for training."""
        return self.dimension * (self.head.mean_log_prob(*self.hidden_states(x)) + self.whitening.log_jacobian)

    def fit_whitening(self, x: Float[Tensor, "P D"]) -> None:
        """Fit the mean pixel and the conditional whitening, equation (7), on patches.

        The pairs are those of all predicted pixels, padding included.

        Raises:
            DataError: there are too few patches, or numbers that are not finite.
        """
        self.mean.copy_(x.mean(dtype=torch.float64))
        pairs = (self.neighborhood.extract(self._padded(part)) for part in x.split(10_000))
        self.whitening.fit(
            (neighbors.flatten(1, 2)[:, : self.dimension], pixels.flatten(1, 2)[:, : self.dimension])
            for neighbors, pixels in pairs
        )

    def set_forget_bias(self, value: float) -> None:
        """Start with forget gates that are open (positive) or closed (negative) on their own."""
        for layer in self.stack:
            layer.set_forget_bias(value)

    def _padded(self, x: Tensor) -> Float[Tensor, "P H W"]:
        """Patches with what surrounds them."""
        if x.shape[1] != self.dimension:
            raise ConfigError(f"this density is of patches of {self.dimension} numbers, not {x.shape[1]}")
        side, radius = self.config.side, self.neighborhood.radius
        # The mean pixel stands for a last one that was dropped, where no neighborhood reaches.
        whole = pad(x - self.mean, (0, side**2 - self.dimension)).unflatten(1, (side, side))
        return pad(whole, (radius, radius, radius, 0))

    def _padding(self) -> Bool[Tensor, "S S D"]:
        """Which neighbors of each pixel are padding."""
        side, radius = self.config.side, self.neighborhood.radius
        outside = pad(torch.zeros(1, side, side), (radius, radius, radius, 0), value=1.0)
        return self.neighborhood.extract(outside)[0][0].bool()
