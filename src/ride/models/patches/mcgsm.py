"""An MCGSM for each pixel of a patch given all pixels before it (section 3.2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.errors import ConfigError, require_at_least
from ride.models.mcgsm import MCGSM
from ride.models.whitening import ConditionalWhitening


@dataclass(frozen=True)
class PatchMCGSMConfig:
    """What a density of patches by MCGSMs is made of.

    Args:
        components: mixture components of each MCGSM.
        scales: scales of each component.
        features: quadratic features of each MCGSM.

    Raises:
        ConfigError: a number makes no sense.
    """

    components: int = 128
    scales: int = 4
    features: int = 48

    def __post_init__(self) -> None:
        require_at_least(1, self, "components", "scales", "features")


class PixelMCGSM(nn.Module):
    """The density of one pixel given the `before` pixels before it: conditional whitening and an MCGSM.

    The first pixel has none before it and is a mixture of Gaussian scale mixtures with means of their own.
    """

    def __init__(self, before: int, config: PatchMCGSMConfig) -> None:
        super().__init__()
        self.before = before
        self.whitening = ConditionalWhitening(before, 1)
        features = config.features if before else 1
        self.head = MCGSM(before, 1, config.components, config.scales, features, means=not before)

    def whitened(self, x: Float[Tensor, "P D"]) -> tuple[Float[Tensor, "P N"], Float[Tensor, "P 1"]]:
        """What the MCGSM sees of patches: the pixels before its own, and its own, equation (7)."""
        return self.whitening(x[:, : self.before], x[:, self.before : self.before + 1])

    def fit_whitening(self, x: Float[Tensor, "P D"]) -> None:
        """Fit the conditional whitening, equation (7), on patches.

        Raises:
            DataError: there are too few patches, or numbers that are not finite.
        """
        self.whitening.fit([(x[:, : self.before], x[:, self.before : self.before + 1])])

    @torch.no_grad()
    def initialize(self, seed: int) -> None:
        """Draw the initial parameters of the MCGSM, which depend on the seed and the pixel alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + self.before)
            self.head.reset_parameters()
            if self.head.u is not None:
                # Experts that begin in one place would stay together.
                self.head.u.normal_()

    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-likelihood of the pixel given those before it in nats."""
        return self.head.log_prob(*self.whitened(x)) + self.whitening.log_jacobian


class PatchMCGSM(nn.Module):
    """Density of patches as a product over pixels in raster order, equation (2).

    Each pixel has a factorised MCGSM of its own, which sees all pixels before it through a conditional whitening of
    its own.

    Args:
        dimension: D, the numbers of a patch.
        config: what the MCGSMs are made of.

    Raises:
        ConfigError: there are no pixels, or data have another number of them.
    """

    def __init__(self, dimension: int, config: PatchMCGSMConfig | None = None) -> None:
        super().__init__()
        if dimension < 1:
            raise ConfigError(f"a patch needs at least one pixel, not {dimension}")
        self.dimension = dimension
        self.config = config = config or PatchMCGSMConfig()
        self.pixels = nn.ModuleList(PixelMCGSM(before, config) for before in range(dimension))

    def pixel(self, number: int) -> PixelMCGSM:
        """The density of one pixel, counted from 0 in raster order."""
        pixel = self.pixels[number]
        assert isinstance(pixel, PixelMCGSM)
        return pixel

    def log_probs(self, x: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Log-likelihood of each pixel given those before it in nats."""
        if x.shape[1] != self.dimension:
            raise ConfigError(f"this density is of patches of {self.dimension} numbers, not {x.shape[1]}")
        return torch.stack([self.pixel(number).log_prob(x) for number in range(self.dimension)], dim=1)

    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-likelihood in nats per patch."""
        return self.log_probs(x).sum(1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Float[Tensor, "P D"]:
        """Draw patches, pixel by pixel; the generator is on the processor."""
        like = self.pixel(0).whitening.mean_out
        x = like.new_zeros(count, self.dimension)
        for number in range(self.dimension):
            pixel = self.pixel(number)
            u = torch.rand(count, generator=generator, dtype=torch.float64).to(like.device)
            z = torch.randn(count, 1, generator=generator).to(like)
            before = pixel.whitening.whiten_inputs(x[:, :number])
            x[:, number : number + 1] = pixel.whitening.invert_outputs(before, pixel.head.draw(before, u, z))
        return x
