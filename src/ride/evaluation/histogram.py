"""The factorial baseline: every pixel on its own, from the histogram of single values."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ride.data import Picture, dequantize, seeded
from ride.errors import ConfigError, DataError
from ride.models.neighborhood import Neighborhood


class Histogram:
    """Piecewise constant density of the values in [0, 1], for each channel, independent for every pixel.

    With 256 bins it is the best factorial model of 8-bit pixels. It scores the pixels that a model with the
    same `neighborhood` predicts, so that both rates are about the same pixels.

    Args:
        counts: values seen in each of the K bins, for each of the M channels.
        neighborhood: decides which pixels of an image are scored.
    """

    def __init__(self, counts: Float[Tensor, "M K"], neighborhood: Neighborhood | None = None) -> None:
        self.neighborhood = neighborhood or Neighborhood()
        # One more in each bin: a value that was never seen is improbable, not impossible.
        smooth = counts.double() + 1
        self.log_density = (smooth / smooth.sum(1, keepdim=True)).log() + math.log(counts.shape[1])

    @property
    def bins(self) -> int:
        """Number of bins K."""
        return self.log_density.shape[1]

    @classmethod
    def fit(
        cls,
        pictures: Sequence[Picture],
        *,
        bins: int | None = None,
        seed: int = 0,
        neighborhood: Neighborhood | None = None,
    ) -> "Histogram":
        """Count the dequantised values of the pictures.

        `bins` is 256 unless given if all pictures have 256 levels, and 100 otherwise, as in the authors'
        program.

        Raises:
            ConfigError: `bins` is not positive.
            DataError: there are no pictures, or they differ in their number of channels.
        """
        if bins is not None and bins < 1:
            raise ConfigError(f"a histogram needs at least one bin, not {bins}")
        if not len(pictures):
            raise DataError("there are no pictures to count the values of")
        if bins is None:
            bins = 256 if all(picture.levels == 256 for picture in pictures) else 100
        counts: Tensor | None = None
        for index, picture in enumerate(pictures):
            values = _by_channel(dequantize(picture, seeded(seed, index)))
            own = torch.stack([channel.bincount(minlength=bins) for channel in _bin(values, bins)]).double()
            if counts is not None and counts.shape != own.shape:
                raise DataError(f"{picture.name} has {len(own)} channels, the pictures before it {len(counts)}")
            counts = own if counts is None else counts + own
        assert counts is not None
        return cls(counts, neighborhood)

    def log_prob(self, images: Float[Tensor, "B H W *M"]) -> Float[Tensor, "B H2 W2"]:
        """Log-density of every predicted pixel in nats, all channels together."""
        _, outputs = self.neighborhood.extract(images)
        bins = _bin(_by_channel(outputs), self.bins)
        if len(bins) != len(self.log_density):
            raise ConfigError(f"this histogram is of {len(self.log_density)} channels, the images have {len(bins)}")
        values = torch.stack([own[index] for own, index in zip(self.log_density, bins, strict=True)])
        return values.sum(0).view(outputs.shape[:3])


def _by_channel(images: Tensor) -> Tensor:
    """[H, W], [H, W, M] or [B, H, W, M] as [M, values]."""
    pixels = images.unsqueeze(-1) if images.ndim == 2 else images
    return pixels.reshape(-1, pixels.shape[-1]).t()


def _bin(values: Tensor, bins: int) -> Tensor:
    return (values.double() * bins).long().clamp(0, bins - 1)
