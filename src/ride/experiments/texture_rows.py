"""Rows about textures: a model, the peer, and the original itself, each with a sample and its statistics."""

import math
import time
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ride.baselines.portilla_simoncelli import STEPS, synthesize
from ride.data import Regions, find_plate, split_regions
from ride.evaluation.means import mean_and_error
from ride.experiments.curves import Curve
from ride.experiments.image_files import write_image
from ride.experiments.results import ImageScore, Result, circumstances
from ride.experiments.rows import Row, Setting
from ride.experiments.texture import MCGSM, PIECE, Learned, Original, learn, lengths_for
from ride.models.ride import RIDEConfig
from ride.progress import Progress
from ride.training import FitConfig

SAMPLE = "sample.png"
"""What was drawn, in the folder of a row."""
TRIED = "training region held out, bit/px, by steps times"
"""What the length was chosen by, and the length."""
SAMPLES = 16
"""Samples of a model whose autocorrelation is compared: that of one is a matter of luck."""
MANY, MANY_ERROR = f"autocorrelation of {SAMPLES} samples", f"autocorrelation of {SAMPLES} samples, standard error"
"""The notes about it."""
STATISTICS = 1
"""Raised when the statistics change, so that results of others are measured again."""
EXAMPLE = 0
"""The piece of the texture that the figure shows and that the peer has for its example: the upper left."""


@dataclass(frozen=True, kw_only=True)
class TextureRow(Row):
    """Something that draws a texture.

    Args:
        plate: of Brodatz's album.
    """

    plate: str

    def lacks(self, setting: Setting) -> str | None:
        """The plate, where the folder does not have it."""
        assert setting.source.data is not None
        return None if find_plate(setting.source.data, self.plate) else self.plate

    def settings(self, setting: Setting) -> Any:
        """The plate, the statistics, and what the row itself adds."""
        cut = [] if self.lacks(setting) or not setting.source.has_margins(self.plate) else ["without margins"]
        return [self.plate, self.own_settings(setting), PIECE, STATISTICS, setting.seed, *cut]

    @abstractmethod
    def own_settings(self, setting: Setting) -> Any:
        """What else decides the figures."""

    def keep(self, sample: Tensor, setting: Setting) -> None:
        """Write the sample where the report finds it."""
        folder = setting.out / self.key
        folder.mkdir(parents=True, exist_ok=True)
        write_image(folder / SAMPLE, sample)


@dataclass(frozen=True, kw_only=True)
class ModelRow(TextureRow):
    """A RIDE or an MCGSM: its rate on the test region, and a sample.

    The rate is that of the pixels that a 9-wide neighborhood predicts, so that it is of the same for all models.

    Args:
        model: what is fitted.
        fit: how.
        lengths: of the fit, relative, among which a training region chooses; those of `lengths_for` if None.
    """

    model: RIDEConfig
    fit: FitConfig
    lengths: tuple[float, ...] | None = None

    def own_settings(self, setting: Setting) -> Any:
        """The fit, and what is drawn."""
        return [*self.fit_settings(setting), SAMPLES]

    def fit_settings(self, setting: Setting) -> list[Any]:
        """Model and fit."""
        lengths = self.lengths
        if lengths is None and not self.lacks(setting):
            lengths = lengths_for(split_regions(setting.source.plate(self.plate), setting.seed))
        chosen = [lengths] if lengths and len(lengths) > 1 else []
        return [self.model.identity(), self.fit.identity(), setting.length, *chosen]

    def learned(self, regions: Regions, setting: Setting, progress: Progress | None) -> Learned:
        """Fit the model, or take the one that is there."""
        return learn(
            regions,
            self.model,
            self.fit,
            name=self.name,
            directory=setting.out / self.key,
            seed=setting.seed,
            length=setting.length,
            lengths=self.lengths,
            device=setting.device,
            progress=progress,
        )

    def run(self, setting: Setting) -> Result:
        """Fit, or go on with a fit; score, draw and compare."""
        picture = setting.source.plate(self.plate)
        regions = split_regions(picture, setting.seed)
        with setting.fitting(f"{self.plate}, {self.name}: fitting") as progress:
            learned = self.learned(regions, setting, progress)
        begun = time.monotonic()
        original = Original(picture, setting.seed)
        with setting.bars(f"{self.plate}, {self.name}: drawing") as progress:
            samples = learned.model.sample(
                original.side, original.side, batch=SAMPLES, seed=setting.seed, progress=progress
            )
        self.keep(samples[0], setting)
        many = mean_and_error([original.autocorrelation(sample) for sample in samples], [1] * SAMPLES)
        several = {MANY: many[0], MANY_ERROR: many[1] or 0.0}
        nats, pixels = learned.blocks(MCGSM.neighborhood // 2)
        blocks = [value / math.log(2) for value in nats]
        mean, error = mean_and_error(blocks, pixels)
        tried = {f"{TRIED} {length:g}": nats / math.log(2) for length, nats in learned.tried.items()}
        return Result(
            identity=self.identity(setting),
            unit="bit/px",
            value=mean,
            stderr=error,
            shift=0.0,
            images=tuple(
                ImageScore(f"{self.plate}, block {k + 1}", *one)
                for k, one in enumerate(zip(blocks, pixels, strict=True))
            ),
            scored="the test region, whole, where a 9-wide neighborhood fits",
            of="pixels",
            notes={**original.compare(samples[0]).named(), **several, **tried},
            seed=setting.seed,
            device=learned.rate.device,
            run=self.key,
            training_seconds=learned.seconds,
            scoring_seconds=time.monotonic() - begun,
            curve=Curve.read(setting.out / self.key),
            **circumstances(),
        )


@dataclass(frozen=True, kw_only=True)
class OriginalRow(TextureRow):
    """The texture against itself: what distances are noise."""

    def own_settings(self, setting: Setting) -> Any:
        """There are no others."""
        return "original"

    def run(self, setting: Setting) -> Result:
        """Compare the pieces, and keep the one that the figure shows."""
        begun = time.monotonic()
        with setting.bars(f"{self.plate}: comparing pieces of the original"):
            original = Original(setting.source.plate(self.plate), setting.seed)
            self.keep(original.pieces[EXAMPLE], setting)
            notes = original.itself().named()
        pixels = sum(piece.numel() for piece in original.pieces)
        return _without_rate(self, notes, pixels, "four pieces of the original, each pair", begun, setting)


@dataclass(frozen=True, kw_only=True)
class PeerRow(TextureRow):
    """Portilla and Simoncelli's texture of one piece of the original."""

    def own_settings(self, setting: Setting) -> Any:
        """How long it works."""
        return ["portilla-simoncelli", self._steps(setting)]

    def run(self, setting: Setting) -> Result:
        """Draw and compare."""
        begun = time.monotonic()
        original = Original(setting.source.plate(self.plate), setting.seed)
        with setting.bars(f"{self.plate}, {self.name}: drawing") as progress:
            sample = synthesize(
                original.pieces[EXAMPLE], steps=self._steps(setting), seed=setting.seed, progress=progress
            )
        self.keep(sample, setting)
        notes = original.compare(sample).named()
        return _without_rate(self, notes, sample.numel(), "a sample", begun, setting)

    def _steps(self, setting: Setting) -> int:
        return max(1, round(STEPS * setting.length))


def _without_rate(
    row: TextureRow, notes: dict[str, float], pixels: int, scored: str, begun: float, setting: Setting
) -> Result:
    """The result of something that has no likelihood: its figure is the distance of autocorrelations."""
    value = notes["autocorrelation"]
    return Result(
        identity=row.identity(setting),
        unit="of the variance",
        value=value,
        stderr=None,
        shift=0.0,
        images=(ImageScore(row.plate, value, pixels),),
        scored=f"autocorrelation of {scored}",
        of="pixels",
        notes=notes,
        seed=setting.seed,
        device="cpu",
        run=row.key,
        training_seconds=0.0,
        scoring_seconds=time.monotonic() - begun,
        curve=Curve(),
        **circumstances(),
    )


def up_to(fit: FitConfig, patch: int) -> FitConfig:
    """A fit whose last stage has patches of so many pixels a side, and about as many pixels in all."""
    *before, last = fit.stages
    batch = max(1, round(fit.batch_of(last) * (last.patch / patch) ** 2))
    steps = round((last.steps or 0) * fit.batch_of(last) * last.patch**2 / (batch * patch**2))
    return replace(fit, stages=(*before, replace(last, patch=patch, batch=batch, steps=steps)))
