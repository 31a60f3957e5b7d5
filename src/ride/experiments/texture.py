"""Learning one texture: a RIDE and an MCGSM of the same regions, and what both are worth on the region held out
(section 3.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ride.data import Picture, Pixels, Regions, dequantize, seeded, split_regions
from ride.errors import ConfigError
from ride.evaluation import Rate, evaluate
from ride.evaluation.means import mean_and_error
from ride.evaluation.textures import Distances, autocorrelation_distance, corners, nearest_patch, noise, to_pieces
from ride.models.ride import RIDE, RIDEConfig
from ride.progress import Bars, Progress, silent
from ride.training import FitConfig, fit, presets
from ride.training.checks import check_fit

MCGSM = RIDEConfig(layers=0, neighborhood=9, features=48)
"""That of the paper's large images: a neighborhood 9 wide and 5 high."""
PIECE = 256
"""Side of the pieces of a texture that samples are compared with, as in Figure 3, or half its shorter side."""
WHOLE = 16
"""What the side of a piece is a multiple of where it is not given: the peer of Figure 3 can do with no other."""
FEW = 300_000
"""Training pixels below which the length of a fit is chosen by one of the training regions."""
LENGTHS = (0.3, 1.0)
"""To choose from."""
BLOCKS = 4
"""Blocks along a side of the test region, over which the standard error of a difference is taken."""


@dataclass(frozen=True)
class Learned:
    """A model of a texture and what it is worth on the region that it has not seen.

    Args:
        model: in evaluation mode, ready to draw from.
        rate: on the test region, with all that such a figure has to state.
        nats: log-likelihood of each predicted pixel of the test region in nats.
        seconds: of training, that of choosing its length included.
        tried: nats per pixel of a training region that was held out, by the length of the fit; empty where nothing was
            to be chosen.
    """

    model: RIDE
    rate: Rate
    nats: Float[Tensor, "h w"]
    seconds: float
    tried: Mapping[float, float] = field(default_factory=dict)

    @property
    def length(self) -> float:
        """The length that was chosen."""
        return max(self.tried, key=self.tried.__getitem__, default=1.0)

    def blocks(self, radius: int) -> tuple[list[float], list[int]]:
        """Nats per pixel, and pixels, of 4 x 4 blocks of what a neighborhood of this radius can predict.

        Raises:
            ConfigError: the model's own neighborhood is larger.
        """
        less = radius - self.model.neighborhood.radius
        if less < 0:
            raise ConfigError(f"a neighborhood of {2 * radius + 1} pixels is smaller than the model's own")
        common = self.nats[less:, less : self.nats.shape[1] - less].double()
        parts = [part for rows in common.tensor_split(BLOCKS, 0) for part in rows.tensor_split(BLOCKS, 1)]
        return [float(part.mean()) for part in parts], [part.numel() for part in parts]


@dataclass(frozen=True)
class Texture:
    """One texture, learned: its regions and both models."""

    regions: Regions
    ride: Learned
    mcgsm: Learned

    def gain(self) -> tuple[float, float | None, int]:
        """Nats per pixel by which RIDE is over the MCGSM on the pixels that both predict, the standard error over
        4 x 4 blocks of the test region, and how many pixels that is of."""
        radius = max(self.ride.model.neighborhood.radius, self.mcgsm.model.neighborhood.radius)
        (ours, pixels), (theirs, _) = self.ride.blocks(radius), self.mcgsm.blocks(radius)
        mean, error = mean_and_error([a - b for a, b in zip(ours, theirs, strict=True)], pixels)
        return mean, error, sum(pixels)


def learn_texture(
    picture: Picture,
    *,
    directory: str | Path | None = None,
    seed: int = 0,
    model: RIDEConfig | None = None,
    length: float = 1.0,
    device: str | torch.device = "cpu",
    bars: Bars = silent,
) -> Texture:
    """Split a texture into regions, fit an MCGSM and a RIDE to all but one, and score both on that one.

    Args:
        picture: the texture, of as many channels as the model.
        directory: of the two runs, `mcgsm` and `ride`, in which the same call goes on where it was stopped; None to
            keep nothing.
        seed: chooses the region to test on, and is that of everything that is drawn.
        model: the RIDE; 1 layer of 64 hidden units unless given.
        length: scales the number of steps of both fits; of a texture of few pixels that is the longest of those
            among which one of the training regions chooses.
        device: where to compute.
        bars: shows the progress of each part; what its bars raise ends the work.

    Raises:
        DataError: the texture is too small to split, or has the same value everywhere.
        ConfigError: the directory holds a run with other settings or another texture, or training diverged.
        ModelError: a checkpoint in the directory is damaged.
        OutputError: the directory cannot be written.
    """
    regions, model = split_regions(picture, seed), model or RIDEConfig()
    models, learned = {"MCGSM": replace(MCGSM, channels=model.channels), "RIDE": model}, {}
    for config in models.values():
        # What is wrong with the second is said before the first is fitted.
        check_fit(RIDE(config), presets.texture(config.layers), Pixels(regions.training), None)
    for name, config in models.items():
        with bars(f"{name}: learning the texture") as progress:
            learned[name] = learn(
                regions,
                config,
                presets.texture(config.layers),
                name=name,
                directory=Path(directory) / name.lower() if directory else None,
                seed=seed,
                length=length,
                device=device,
                progress=progress,
            )
    return Texture(regions, learned["RIDE"], learned["MCGSM"])


def learn(
    regions: Regions,
    config: RIDEConfig,
    recipe: FitConfig,
    *,
    name: str,
    directory: Path | None = None,
    seed: int = 0,
    length: float = 1.0,
    lengths: Sequence[float] | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Learned:
    """Fit one model to the training regions and score it on the test region; raises as `learn_texture` does.

    The test region has no part in training: nothing is chosen by it, and the last model is the one that counts. With
    several `lengths` (those of `lengths_for`, unless given) a model is first fitted by each to all training regions
    but the last, which then chooses.
    """
    recipe = replace(recipe, seed=seed)

    def by(factor: float, some: Regions, into: Path | None, share: Progress | None) -> Learned:
        scale = length * factor
        scaled = recipe if scale == 1.0 else recipe.scaled(scale)
        return _fitted(some, config, scaled, name, into, device, share)

    lengths = lengths_for(regions) if lengths is None else lengths
    if len(lengths) == 1:
        return by(lengths[0], regions, directory, progress)
    parts = list(accumulate((*lengths, max(lengths)), initial=0.0))
    *shares, last = (_share(progress, a / parts[-1], b / parts[-1]) for a, b in pairwise(parts))
    fewer = replace(regions, training=regions.training[:-1], test=regions.training[-1])
    scouts = {
        factor: by(factor, fewer, directory / f"length-{factor:g}" if directory else None, share)
        for factor, share in zip(lengths, shares, strict=True)
    }
    tried = {factor: scout.rate.nats_per_pixel for factor, scout in scouts.items()}
    found = by(max(tried, key=tried.__getitem__), regions, directory, last)
    seconds = found.seconds + sum(scout.seconds for scout in scouts.values())
    return replace(found, seconds=seconds, tried=tried)


def _fitted(
    regions: Regions,
    config: RIDEConfig,
    recipe: FitConfig,
    name: str,
    directory: Path | None,
    device: str | torch.device,
    progress: Progress | None,
) -> Learned:
    """One fit to all training regions, scored on the test region."""
    torch.manual_seed(recipe.seed)
    model = RIDE(config).to(device)
    card: dict[str, Any] = {"made": "of one texture", "texture": Path(regions.name).name, "seed": recipe.seed}
    result = fit(model, regions.training, config=recipe, directory=directory, card=card, progress=progress)
    maps: list[Tensor] = []
    rate = evaluate(
        model.eval(),
        [regions.test],
        seed=recipe.seed,
        name=name,
        each=lambda title, image, nats: maps.append(nats.cpu()),
    )
    return Learned(model, rate, maps[0], result.seconds)


def lengths_for(regions: Regions) -> tuple[float, ...]:
    """The lengths of a fit to choose from: several where pixels to train on are few, for longer may be worse there."""
    few = sum(region.pixels.shape[0] * region.pixels.shape[1] for region in regions.training) < FEW
    return LENGTHS if few and len(regions.training) > 1 else (1.0,)


def _share(progress: Progress | None, first: float, last: float) -> Progress | None:
    """Progress of a part of the work, as one of all of it."""
    if progress is None:
        return None

    def tell(done: int, total: int, message: str = "") -> None:
        progress(round(1000 * (first + (last - first) * done / max(total, 1))), 1000, message)

    return tell


@dataclass(frozen=True)
class Likeness:
    """How far a sample is from its texture by statistics that no model was fitted to.

    Args:
        distances: mean over the four pieces in the corners of the texture.
        nearest: median distance of its patches to the nearest one of the training regions, see `nearest_patch`.
    """

    distances: Distances
    nearest: float

    def named(self) -> dict[str, float]:
        """Each figure by what a table calls it."""
        d = self.distances
        patches = dict(zip(("7 x 7 patches", "at half size", "at a quarter"), d.patches, strict=True))
        single = {"marginal": d.marginal, "spectrum": d.spectrum, "autocorrelation": d.autocorrelation}
        return {**single, **patches, "nearest patch": self.nearest}


class Original:
    """A texture as samples are compared with it: four pieces, and its regions, all in gray and dequantised once.

    The pieces have `largest` pixels a side, or half the shorter side of the texture, cut to a multiple of `WHOLE`.

    Raises:
        DataError: the texture is too small to split.
    """

    def __init__(self, picture: Picture, seed: int = 0, largest: int = PIECE) -> None:
        image, self.seed = gray(dequantize(picture, seeded(seed, "original"))), seed
        self.pieces = corners(image, min(largest, min(image.shape) // 2 // WHOLE * WHOLE))
        regions = split_regions(picture, seed)
        self._training = [gray(dequantize(p, seeded(seed, "region", k))) for k, p in enumerate(regions.training)]
        self._test = gray(dequantize(regions.test, seeded(seed, "test region")))

    @property
    def side(self) -> int:
        """Of the pieces in pixels: a sample that is compared has this size."""
        return len(self.pieces[0])

    def compare(self, sample: Float[Tensor, "H W *M"]) -> Likeness:
        """What the upper left piece of a sample has in common with the texture; what is outside [0, 1] is clipped."""
        image = self._cut(sample)
        return Likeness(to_pieces(image, self.pieces, self.seed), nearest_patch(image, self._training, self.seed))

    def autocorrelation(self, sample: Float[Tensor, "H W *M"]) -> float:
        """What `compare` says of the autocorrelation alone, in much less time."""
        image = self._cut(sample)
        return sum(autocorrelation_distance(image, piece) for piece in self.pieces) / len(self.pieces)

    def itself(self) -> Likeness:
        """The pieces from each other, and the region held out from those to train on: what no sample has to beat."""
        return Likeness(noise(self.pieces, self.seed), nearest_patch(self._test, self._training, self.seed))

    def _cut(self, sample: Float[Tensor, "H W *M"]) -> Float[Tensor, "side side"]:
        return gray(sample.detach().cpu().float())[: self.side, : self.side].clamp(0, 1)


def gray(image: Float[Tensor, "H W *M"]) -> Float[Tensor, "H W"]:
    """The mean over channels, if there are any."""
    return image if image.ndim == 2 else image.mean(2)
