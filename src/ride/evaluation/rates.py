"""Log-likelihood rates: what a model is worth on a set of pictures, and all that such a figure has to
state."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from ride import ranks
from ride.data import Picture, dequantize, seeded
from ride.errors import ConfigError, DataError
from ride.evaluation.bands import MEMORY, log_prob_maps
from ride.evaluation.histogram import Histogram
from ride.evaluation.means import mean_and_error
from ride.models.ensemble import Ensemble
from ride.models.ride import RIDE
from ride.progress import Progress

LOG_2 = math.log(2)


@dataclass(frozen=True)
class PictureRate:
    """Log-likelihood of one picture: bits per scored pixel, all channels together, and how many were
    scored."""

    name: str
    bits_per_pixel: float
    pixels: int


@dataclass(frozen=True)
class Rate:
    """Mean log-likelihood of the scored pixels of some pictures, with what was scored and how. Positive is
    better.

    Args:
        model: what was scored, in words.
        nats_per_pixel: mean log-density of a pixel (all channels together) in units of the full range.
        bits_per_pixel: the same in bits.
        bits_per_channel: the same divided by the channels.
        stderr_bits: standard error of `bits_per_pixel` over the pictures; None for a single picture.
        code_length: bits per pixel that a lossless code built on the model needs at most (8 bits per pixel
            and channel minus `bits_per_pixel` for 8-bit data); None for data without levels or with
            different ones.
        pixels: number of pixels scored.
        images: number of pictures.
        tile: side of the independent tiles; None for whole images.
        ensemble: the mixture over the 8 flips and transposes of each tile or image was scored.
        seed: of the dequantisation noise.
        levels: values that a channel of a pixel can have; None for data without levels or with different
            ones.
        channels: channels of a pixel.
        device: where it was computed.
        pictures: the rates of the single pictures.
    """

    model: str
    nats_per_pixel: float
    bits_per_pixel: float
    bits_per_channel: float
    stderr_bits: float | None
    code_length: float | None
    pixels: int
    images: int
    tile: int | None
    ensemble: bool
    seed: int
    levels: int | None
    channels: int
    device: str
    pictures: tuple[PictureRate, ...]

    @classmethod
    def over(
        cls,
        pictures: Sequence[PictureRate],
        *,
        model: str,
        tile: int | None,
        ensemble: bool,
        seed: int,
        levels: int | None,
        channels: int,
        device: str,
    ) -> "Rate":
        """The mean over the pixels of these pictures."""
        bits, error = mean_and_error([p.bits_per_pixel for p in pictures], [p.pixels for p in pictures])
        return cls(
            model=model,
            nats_per_pixel=bits * LOG_2,
            bits_per_pixel=bits,
            bits_per_channel=bits / channels,
            stderr_bits=error,
            code_length=None if levels is None else channels * math.log2(levels) - bits,
            pixels=sum(p.pixels for p in pictures),
            images=len(pictures),
            tile=tile,
            ensemble=ensemble,
            seed=seed,
            levels=levels,
            channels=channels,
            device=device,
            pictures=tuple(pictures),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, for one JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Rate":
        """The rate that `to_json` described."""
        return cls(**{**values, "pictures": tuple(PictureRate(**picture) for picture in values["pictures"])})

    @property
    def scored(self) -> str:
        """What was scored, in words."""
        what = "whole images" if self.tile is None else f"independent {self.tile} x {self.tile} tiles"
        return what + (", mixture over 8 flips and transposes" if self.ensemble else "")

    def __str__(self) -> str:
        error = "" if self.stderr_bits is None else f" ± {self.stderr_bits:.3f}"
        code = "continuous data"
        if self.levels is not None and self.code_length is not None:
            depth = math.log2(self.levels)
            code = f"a code of at most {self.code_length:.3f} bit/px for {depth:g}-bit data"
        channels = f", {self.bits_per_channel:.3f} bit per channel" if self.channels > 1 else ""
        pictures = "1 image" if self.images == 1 else f"{self.images:,} images (± standard error over them)"
        return (
            f"{self.model}: {self.bits_per_pixel:.3f}{error} bit/px"
            f" ({self.nats_per_pixel:.3f} nat/px{channels}; {code})"
            f" on {self.pixels:,} pixels of {pictures}, {self.scored}, seed {self.seed}, {self.device}"
        )


class _Scored(NamedTuple):
    """One picture, as ranks tell each other of it; in order by its number."""

    number: int
    levels: int | None
    channels: int
    name: str
    bits_per_pixel: float
    pixels: int


def evaluate(
    model: RIDE | Histogram,
    pictures: Sequence[Picture],
    *,
    tile: int | None = None,
    ensemble: bool = False,
    seed: int = 0,
    name: str | None = None,
    memory: int = MEMORY,
    progress: Progress | None = None,
    each: Callable[[str, Tensor, Tensor], None] | None = None,
) -> Rate:
    """Score pictures with a model, where it lies, in bounded memory.

    Within a process group of `torch.distributed` all its processes make this call, with the same model and pictures.
    The pictures are dealt out to them, each is scored by one as it would be by a process alone, and all get the rate.

    Args:
        model: a RIDE (an MCGSM is one without layers) or the factorial baseline.
        pictures: they may differ in size, not in their number of channels.
        tile: score independent tiles of this size, each from the zero state, and drop what remains at the
            right and the bottom, as the paper does with 64; None scores whole images.
        ensemble: score the mixture over the 8 flips and transposes, of each tile or else each image, on the
            pixels that all of them predict.
        seed: of the dequantisation noise; picture k depends on (seed, k) only.
        name: of the model, in the rate.
        memory: bytes of activations to hold at once.
        progress: called with the thousandths done and all, of this process.
        each: called with each picture's name, image [H, W] or [H, W, M] and log-likelihoods [H', W'] in
            nats, by the process that scored it, in order; for whole images without an ensemble.

    Raises:
        DataError: there are no pictures, or one is smaller than the neighborhood or the tile.
        ConfigError: the model is for another number of channels, or the settings do not go together.
        RankError: another process of the group has ended.
    """
    if ensemble and isinstance(model, Histogram):
        raise ConfigError("a factorial model is the same under all flips and transposes: leave out the ensemble")
    if each and (tile is not None or ensemble):
        raise ConfigError("maps of single pixels are of whole images: leave out tile and ensemble")
    if tile is not None and tile < 1:
        raise ConfigError(f"tile must be at least 1 pixel, not {tile}")
    if not len(pictures):
        raise DataError("there are no pictures to score")
    like = model.log_density if isinstance(model, Histogram) else model.whitening.mean_out
    scored: list[_Scored] = []
    own = ranks.dealt(range(len(pictures)))
    for done, index in enumerate(own):
        picture = pictures[index]
        image = dequantize(picture, seeded(seed, index)).to(like)
        images = image.unsqueeze(0) if tile is None else _tiles(image, tile, picture.name)
        within = _within(progress, done, len(own), picture.name)
        try:
            total, pixels, values = _score(model, images, ensemble, memory, within)
        except DataError as error:
            raise DataError(f"{picture.name}: {error}") from error
        if each:
            each(picture.name, image, values[0])
        # Planes that are given are not scored.
        channels = picture.channels if isinstance(model, Histogram) else model.config.channels
        scored.append(_Scored(index, picture.levels, channels, picture.name, total / LOG_2 / pixels, pixels))
        within(1, 1)
    found = sorted(_Scored(*one) for part in ranks.gather(scored) for one in part)
    levels = {one.levels for one in found}
    return Rate.over(
        [PictureRate(one.name, one.bits_per_pixel, one.pixels) for one in found],
        model=name or ("histogram of single pixels" if isinstance(model, Histogram) else "model"),
        tile=tile,
        ensemble=ensemble,
        seed=seed,
        levels=levels.pop() if len(levels) == 1 else None,
        channels=found[0].channels,
        device=str(like.device),
    )


def gain(better: Rate, baseline: Rate) -> tuple[float, float | None]:
    """Bits per pixel by which one model is better than another on the same pictures, and its standard error.

    The error is that of the differences, much smaller than the errors of the two rates: what makes one
    picture hard for a model makes it hard for the other.
    """
    names = [[picture.name for picture in rate.pictures] for rate in (better, baseline)]
    if names[0] != names[1]:
        raise ConfigError("a gain is between rates of the same pictures in the same order")
    differences = [
        a.bits_per_pixel - b.bits_per_pixel for a, b in zip(better.pictures, baseline.pictures, strict=True)
    ]
    return mean_and_error(differences, [picture.pixels for picture in better.pictures])


def _score(
    model: RIDE | Histogram,
    images: Float[Tensor, "B H W *M"],
    ensemble: bool,
    memory: int,
    progress: Callable[[int, int], None],
) -> tuple[float, int, Tensor]:
    """Nats in total, pixels, and nats per pixel (per image for an ensemble)."""
    if isinstance(model, Histogram):
        values = model.log_prob(images)
    elif ensemble:
        values = Ensemble(model, partial(log_prob_maps, memory=memory)).log_prob(images)
        border = 2 * model.neighborhood.radius
        pixels = images.shape[0] * (images.shape[1] - border) * (images.shape[2] - border)
        return float(values.double().sum()), pixels, values
    else:
        values = log_prob_maps(model, images, memory=memory, progress=progress)
    return float(values.double().sum()), values.numel(), values


def _tiles(image: Float[Tensor, "H W *M"], size: int, name: str) -> Float[Tensor, "T S S *M"]:
    rows, columns = image.shape[0] // size, image.shape[1] // size
    if not rows * columns:
        raise DataError(f"{name} has {image.shape[0]} x {image.shape[1]} pixels, less than a tile of {size} x {size}")
    whole = image[: rows * size, : columns * size]
    return whole.unflatten(1, (columns, size)).unflatten(0, (rows, size)).transpose(1, 2).flatten(0, 1)


def _within(progress: Progress | None, index: int, count: int, name: str) -> Callable[[int, int], None]:
    """The progress of one picture as a part of the whole."""

    def tell(done: int, total: int) -> None:
        if progress:
            progress(1000 * index + 1000 * done // total, 1000 * count, name)

    return tell
