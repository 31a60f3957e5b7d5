"""Rows about large images: a RIDE or an MCGSM, and its log-likelihood rate."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ride.data import Picture, hold_out
from ride.evaluation import Rate, evaluate
from ride.experiments.curves import Curve
from ride.experiments.results import ImageScore, Result, circumstances
from ride.experiments.rows import Row, Setting
from ride.models.files import RUN_MODEL, load, save
from ride.models.neighborhood import Neighborhood
from ride.models.ride import RIDE, RIDEConfig
from ride.progress import Progress
from ride.training import FitConfig, fit, presets


@dataclass(frozen=True, kw_only=True)
class ImageRow(Row):
    """A RIDE, which without layers is an MCGSM, on images of any size.

    Args:
        model: what is fitted.
        fit: how.
        tile: side of the independent tiles that are scored; None for whole images.
        ensemble: score the mixture over flips and transposes.
        starts: fits from so many initial values, of which the best on the held-out images is kept.
        start: the row whose fitted model the fit begins with.
    """

    model: RIDEConfig
    fit: FitConfig
    tile: int | None = None
    ensemble: bool = False
    starts: int = 1
    start: "ImageRow | None" = None

    def ensembled(self) -> "ImageRow":
        """The row of the mixture over flips and transposes of this model."""
        return replace(self, name=f"Eo{self.name}", key=f"eo{self.key}", ensemble=True, fitted=self)

    def revived(self) -> "ImageRow":
        """The row of this model, one that is fitted for itself, with components that fall idle put to work again."""
        assert self.fitted is None
        fit = replace(self.fit, revive=presets.REVIVE)
        return replace(self, name=f"{self.name}, revived", key=f"{self.key}-revived", fit=fit)

    def settings(self, setting: Setting) -> Any:
        """Model, fit and what is scored."""
        fit = self.config(setting).identity()
        before = [self.start.settings(setting)] if self.start else []
        return [self.model.identity(), fit, self.tile, self.ensemble, self.starts, setting.seed, *before]

    def config(self, setting: Setting) -> FitConfig:
        """How the model is fitted in this setting."""
        config = replace(self.fit, seed=setting.seed)
        return config if setting.length == 1 else config.scaled(setting.length)

    def run(self, setting: Setting) -> Result:
        """Fit the model, or take the one that is there, and score it on the test images."""
        with setting.bars(f"{self.name}: reading") as progress:
            pictures = setting.source.training(progress)
            # Now, so that a damaged one is found before the fit and not after it.
            test = setting.source.test()
        folder, seconds = self._origin()._fitted(pictures, setting)
        model = load(folder).to(setting.device)
        begun = time.monotonic()
        with setting.bars(f"{self.name}: scoring") as progress:
            rate = self._scored(model, test, setting, progress)
        if self.fitted is None:
            self._describe(folder, rate, seconds, setting)
        shift = setting.source.shift(pictures)
        return Result(
            identity=self.identity(setting),
            unit="bit/px",
            value=rate.bits_per_pixel + shift,
            stderr=rate.stderr_bits,
            shift=shift,
            images=tuple(ImageScore(Path(p.name).name, p.bits_per_pixel + shift, p.pixels) for p in rate.pictures),
            scored=rate.scored,
            of="pixels",
            notes={},
            seed=setting.seed,
            device=rate.device,
            run=folder.relative_to(setting.out).as_posix(),
            training_seconds=seconds,
            scoring_seconds=time.monotonic() - begun,
            curve=Curve.read(folder),
            **circumstances(),
        )

    def _scored(self, model: RIDE, pictures: Sequence[Picture], setting: Setting, progress: Progress | None) -> Rate:
        """The rate on the test images."""
        return evaluate(
            model,
            pictures,
            tile=self.tile,
            ensemble=self.ensemble,
            seed=setting.seed,
            name=self.name,
            progress=progress,
        )

    def _origin(self) -> "ImageRow":
        """The row whose fitted model this one scores."""
        assert self.fitted is None or isinstance(self.fitted, ImageRow)
        return self.fitted or self

    def _fitted(self, pictures: Sequence[Picture], setting: Setting) -> tuple[Path, float]:
        """The run directory of the fitted model and the seconds that took; what is done is not done again."""
        training, validation = hold_out(pictures, setting.source.held_out, setting.seed)
        best, best_folder, seconds = -math.inf, setting.out / self.key, 0.0
        before = None
        if self.start:
            folder, seconds = self.start._fitted(pictures, setting)
            before = load(folder)
        for start in range(self.starts):
            folder = setting.out / (self.key if self.starts == 1 else f"{self.key}-start{start}")
            config = self.config(setting)
            config = replace(config, seed=config.seed + start)
            torch.manual_seed(config.seed)
            model = RIDE(self.model).to(setting.device)
            title = self.name if self.starts == 1 else f"{self.name}, start {start + 1} of {self.starts}"
            with setting.fitting(f"{title}: fitting") as progress:
                card = {"made": "by ride reproduce", "row": self.name}
                result = fit(
                    model, training, validation, config, start=before, directory=folder, card=card, progress=progress
                )
            seconds += result.seconds
            if result.nats_per_pixel > best:
                best, best_folder = result.nats_per_pixel, folder
        return best_folder, seconds

    def _describe(self, folder: Path, rate: Rate, seconds: float, setting: Setting) -> None:
        """Put the measured rate on the card of the model."""
        path = folder / RUN_MODEL
        card = {
            "made": f"by ride reproduce, on {setting.source.kind}, row {self.key}",
            "training_images": f"all but {setting.source.held_out} held out for validation",
            **({"went_on_from": f"row {self.start.key}"} if self.start else {}),
            "unit": "bits per pixel of the full range",
            "test_bits_per_pixel": round(rate.bits_per_pixel, 4),
            "test_stderr_bits": None if rate.stderr_bits is None else round(rate.stderr_bits, 4),
            "scored": f"{rate.pixels:,} pixels of {rate.images} test images, {rate.scored}",
            "seed": setting.seed,
            "starts": self.starts,
            "training_minutes": round(seconds / 60, 1),
            "fit": asdict(self.config(setting)),
        }
        save(load(path), path, card)


def millions(fit: FitConfig, model: RIDEConfig) -> str:
    """The predicted pixels of a fit in words."""
    shape = Neighborhood(model.neighborhood).predicted_shape
    pixels = sum((s.steps or 0) * fit.batch_of(s) * math.prod(shape(s.patch, s.patch)) for s in fit.stages)
    return f"{pixels / 1e6:.1f} million predicted pixels"
