"""Rows about a hole in a texture: draws from the posterior of RIDE, their mean, its maximum, and classical peers."""

import time
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.baselines.inpainting import Method, inpaint_classical
from ride.data import Regions, dequantize, seeded, split_regions
from ride.evaluation.restoration import peak_signal_to_noise, structural_similarity
from ride.evaluation.textures import distances
from ride.experiments.curves import Curve
from ride.experiments.image_files import write_image
from ride.experiments.results import ImageScore, Result, circumstances
from ride.experiments.rows import Setting
from ride.experiments.texture_rows import ModelRow, TextureRow
from ride.generation.inpainting import inpaint
from ride.generation.maximum import most_probable
from ride.generation.posterior import Inpainting
from ride.models.ride import RIDE

SIDE = 71
"""Rows and columns of the hole."""
SWEEPS, CHAINS = 100, 4
"""Sweeps of the paper's Figure 4; and chains, for a mean and a deviation."""
STEPS = 300
"""Of the ascent to the most probable pixels."""
LEVEL = 0.9
"""Of the intervals whose coverage is measured."""
TRUTH, DEVIATION = "truth.png", "std.npy"
"""Further pictures in the folder of a row."""


def middle(height: int, width: int) -> Bool[Tensor, "H W"]:
    """The hole in an image of this size."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    top, left = ((length - SIDE) // 2 for length in mask.shape)
    mask[top : top + SIDE, left : left + SIDE] = True
    return mask


@dataclass(frozen=True)
class Hole:
    """The test region of a texture, dequantised, with a hole in its middle."""

    image: Float[Tensor, "H W"]
    mask: Bool[Tensor, "H W"]

    @classmethod
    def of(cls, regions: Regions, seed: int) -> "Hole":
        """The hole that all methods of one seed get."""
        image = dequantize(regions.test, seeded(seed, "hole"))
        return cls(image, middle(*image.shape))

    def inside(self, image: Float[Tensor, "H W"]) -> Float[Tensor, "S S"]:
        """The pixels of the hole as an image of their own."""
        return image[self.mask].view(SIDE, SIDE)

    def score(self, filled: Float[Tensor, "H W"]) -> dict[str, float]:
        """How near the filled hole is to the truth, pixel by pixel and in its statistics."""
        filled = filled.cpu().float().clamp(0, 1)
        apart = distances(self.inside(filled), self.inside(self.image))
        return {
            "PSNR": peak_signal_to_noise(filled, self.image, self.mask),
            "SSIM": structural_similarity(filled, self.image, self.mask),
            "marginal": apart.marginal,
            "spectrum": apart.spectrum,
            "autocorrelation": apart.autocorrelation,
            "7 x 7 patches": apart.patches[0],
        }


@dataclass(frozen=True, kw_only=True)
class HoleRow(TextureRow):
    """A way to fill the hole."""

    def run(self, setting: Setting) -> Result:
        """Fill the hole, keep the picture, and score it."""
        regions = split_regions(setting.source.plate(self.plate), setting.seed)
        hole, begun = Hole.of(regions, setting.seed), time.monotonic()
        filled, notes = self.fill(hole, regions, setting)
        seconds = time.monotonic() - begun
        self.keep(filled, setting)
        write_image(setting.out / self.key / TRUTH, hole.image)
        scores = hole.score(filled)
        return Result(
            identity=self.identity(setting),
            unit="dB",
            value=scores.pop("PSNR"),
            stderr=None,
            shift=0.0,
            images=(ImageScore(self.plate, scores["SSIM"], SIDE**2),),
            scored=f"a hole of {SIDE} x {SIDE} pixels in the test region",
            of="pixels",
            notes={**scores, **notes},
            seed=setting.seed,
            device=str(setting.device),
            run=self.key,
            training_seconds=0.0,
            scoring_seconds=seconds,
            curve=Curve(),
            **circumstances(),
        )

    @abstractmethod
    def fill(self, hole: Hole, regions: Regions, setting: Setting) -> tuple[Float[Tensor, "H W"], dict[str, float]]:
        """The image with its hole filled, and further figures about that."""


@dataclass(frozen=True, kw_only=True)
class ClassicalRow(HoleRow):
    """A classical method."""

    method: Method

    def own_settings(self, setting: Setting) -> Any:
        """The method."""
        return self.method

    def fill(self, hole: Hole, regions: Regions, setting: Setting) -> tuple[Tensor, dict[str, float]]:
        """Continue what surrounds the hole."""
        with setting.bars(f"{self.plate}, {self.name}"):
            return inpaint_classical(self.method, hole.image, hole.mask), {}


@dataclass(frozen=True, kw_only=True)
class PieceRow(HoleRow):
    """Another piece of the texture in place of the hole: as like as can be, in the wrong place."""

    def own_settings(self, setting: Setting) -> Any:
        """There are none."""
        return "piece"

    def fill(self, hole: Hole, regions: Regions, setting: Setting) -> tuple[Tensor, dict[str, float]]:
        """Take the middle of the first training region."""
        other = Hole.of(replace(regions, test=regions.training[0]), setting.seed)
        return torch.where(hole.mask, other.image, hole.image), {}


@dataclass(frozen=True, kw_only=True)
class ModelHoleRow(HoleRow):
    """What a RIDE of the texture makes of the hole.

    Args:
        model: the row of Figure 3 that fits it; the fit is made here where it is not there.
    """

    model: ModelRow

    def own_settings(self, setting: Setting) -> Any:
        """The model and what is done with it."""
        return [self.model.fit_settings(setting), self.work(setting)]

    @abstractmethod
    def work(self, setting: Setting) -> Any:
        """What is done with the model."""

    def learned(self, regions: Regions, setting: Setting) -> RIDE:
        """The model of the texture, which has not seen the region with the hole."""
        with setting.fitting(f"{self.plate}, RIDE: fitting") as progress:
            return self.model.learned(regions, setting, progress).model


@dataclass(frozen=True, kw_only=True)
class PosteriorRow(ModelHoleRow):
    """A draw from the posterior, or the mean of many.

    Args:
        mean: the mean.
    """

    mean: bool

    def work(self, setting: Setting) -> Any:
        """Sweeps and chains."""
        return ["mean" if self.mean else "draw", self._sweeps(setting), CHAINS, LEVEL]

    def fill(self, hole: Hole, regions: Regions, setting: Setting) -> tuple[Tensor, dict[str, float]]:
        """Sample, or go on with or take what the other row of these chains has sampled."""
        model = self.learned(regions, setting)
        with setting.fitting(f"{self.plate}, {self.name}: inpainting") as progress:
            result = inpaint(
                model,
                hole.image.numpy(),
                hole.mask,
                self._sweeps(setting),
                chains=CHAINS,
                seed=setting.seed,
                directory=setting.out / f"hole-{self.plate.lower()}-chains",
                progress=progress,
            )
        if not self.mean:
            return result.best, self._pace(model, hole, result)
        folder = setting.out / self.key
        folder.mkdir(parents=True, exist_ok=True)
        write_image(folder / DEVIATION, result.std)
        figures = {"accepted": result.accepted, "effective draws": result.effective}
        return result.mean, {**figures, "coverage": result.coverage(hole.image, LEVEL)}

    def _sweeps(self, setting: Setting) -> int:
        return max(1, round(SWEEPS * setting.length))

    def _pace(self, model: RIDE, hole: Hole, result: Inpainting) -> dict[str, float]:
        """Seconds of the sweeps, and of one chain; and how much longer one block after another takes."""
        once = partial(inpaint, model, hole.image.numpy(), hole.mask)
        together, alone = once(3).seconds / 3, once(1, batched=False).seconds
        return {
            "minutes of all chains": result.seconds / 60,
            "minutes of one chain": SWEEPS * together / 60,
            "block after block, times as long": alone / together,
        }


@dataclass(frozen=True, kw_only=True)
class MaximumRow(ModelHoleRow):
    """The most probable pixels."""

    def work(self, setting: Setting) -> Any:
        """Steps of the ascent."""
        return ["maximum", self._steps(setting)]

    def fill(self, hole: Hole, regions: Regions, setting: Setting) -> tuple[Tensor, dict[str, float]]:
        """Climb."""
        model = self.learned(regions, setting)
        with setting.bars(f"{self.plate}, {self.name}: climbing") as progress:
            steps = self._steps(setting)
            return most_probable(model, hole.image.numpy(), hole.mask, steps, seed=setting.seed, progress=progress), {}

    def _steps(self, setting: Setting) -> int:
        return max(1, round(STEPS * setting.length))
