"""Rows about patches of fixed size: any density of them, and its mean log-likelihood."""

import math
import time
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from ride.baselines.deep_rnade import DeepRNADE
from ride.baselines.diffusion import Diffusion
from ride.baselines.grbm import GRBM
from ride.data import PatchSet, draw_patches, hold_out
from ride.errors import ConfigError
from ride.evaluation import evaluate_patches
from ride.evaluation.dc_component import dc_nats_of_histogram, fit_dc
from ride.experiments.curves import Curve, logged_seconds
from ride.experiments.densities import Density, fitted, settings
from ride.experiments.results import ImageScore, Result, circumstances
from ride.experiments.rows import Row, Setting

LEAST_TEST = 10_000
"""Patches that a trial run is scored on."""


@dataclass(frozen=True)
class Patches:
    """Which patches are drawn, equally many from each image.

    Args:
        side: of a patch in pixels.
        training: patches to train on.
        held_out: patches of the images held out.
        test: patches of the test images.
        without_dc: take away the mean and the bottom-right pixel.
    """

    side: int
    training: int
    held_out: int
    test: int
    without_dc: bool

    @property
    def dimension(self) -> int:
        """Numbers of a patch."""
        return self.side**2 - self.without_dc


BSDS300 = Patches(side=8, training=1_600_000, held_out=180_000, test=1_000_000, without_dc=True)
"""The protocol of section 3.2."""


@dataclass(frozen=True, kw_only=True)
class DCRow(Row):
    """Log-likelihood of the mean of a patch, l_DC of section 3.2, in nats.

    Args:
        patches: whose means.
        means: so many of them are fitted,
        components: by a mixture of so many Gaussian scale mixtures,
        scales: of so many scales each,
        iterations: in so many of L-BFGS.
    """

    patches: Patches = BSDS300
    means: int = 10**6
    components: int = 16
    scales: int = 4
    iterations: int = 100

    def settings(self, setting: Setting) -> Any:
        """The patches, and the mixture for their means."""
        mixture = {name: getattr(self, name) for name in ("means", "components", "scales", "iterations")}
        return [vars(self.patches), mixture, setting.seed, "without the images held out"]

    def run(self, setting: Setting) -> Result:
        """Fit a mixture of Gaussian scale mixtures to the means of training patches, and score those of others."""
        begun = time.monotonic()
        with setting.bars(f"{self.name}: drawing patches") as progress:
            pictures, _ = hold_out(setting.source.training(progress), setting.source.held_out, setting.seed)
        means = draw_patches(pictures, self.patches.training, self.patches.side, setting.seed, "training").means()
        mixture = {"components": self.components, "scales": self.scales, "iterations": self.iterations}
        density = fit_dc(means[: self.means], **mixture)
        trained = time.monotonic()
        test = draw_patches(setting.source.test(), self.patches.test, self.patches.side, setting.seed, "test")
        score = evaluate_patches(density, PatchSet(test.means()[:, None], test.image), name=self.name)
        return Result(
            identity=self.identity(setting),
            unit="nat",
            value=score.nats,
            stderr=score.stderr,
            shift=0.0,
            images=tuple(ImageScore(str(p.image), p.nats, p.patches) for p in score.pictures),
            scored="means of patches",
            of="patches",
            notes={"of a histogram of 60 bins, nat": dc_nats_of_histogram(means, test.means())},
            seed=setting.seed,
            device="cpu",
            run=self.key,
            curve=Curve(),
            training_seconds=trained - begun,
            scoring_seconds=time.monotonic() - trained,
            **circumstances(),
        )


@dataclass(frozen=True, kw_only=True)
class PatchRow(Row):
    """A density of patches.

    Args:
        density: what is fitted, and how.
        patches: to what.
        ensemble: score the mixture over flips and transposes.
        orders: score the mixture over so many orderings of the pixels.
        test: score so many of the test patches only, where that takes long.
    """

    density: Density
    patches: Patches = BSDS300
    ensemble: bool = False
    orders: int | None = None
    test: int | None = None

    def ensembled(self, name: str, key: str) -> "PatchRow":
        """The row of the mixture over flips and transposes of this density."""
        return replace(self, name=name, key=key, ensemble=True, fitted=self)

    def settings(self, setting: Setting) -> Any:
        """Density, fit, patches and what is scored."""
        scored = [self.ensemble, self.orders, self._count(setting)]
        return [settings(self.density), vars(self.patches), scored, setting.seed, setting.length]

    def run(self, setting: Setting) -> Result:
        """Fit the density, or take the one that is there, and score it on the test patches."""
        with setting.bars(f"{self.name}: drawing patches") as progress:
            pictures = setting.source.training(progress)
            # Now, so that a damaged one is found before the fit and not after it.
            unseen = setting.source.test()
        model, folder, seconds = self._origin()._fitted(pictures, setting)
        test = self._prepared(draw_patches(unseen, self._count(setting), self.patches.side, setting.seed, "test"))
        begun = time.monotonic()
        with setting.bars(f"{self.name}: scoring") as progress:
            density: Any = model if self.orders is None else _OverOrders(model, self.orders, setting.seed)
            score = evaluate_patches(density, test, ensemble=self.ensemble, name=self.name, progress=progress)
        images = [(str(p.image), p.nats, p.patches) for p in score.pictures]
        value, error, unit, shift, scale = score.nats, score.stderr, "nat", 0.0, 1.0
        if not self.patches.without_dc:
            scale, unit = 1 / (self.patches.dimension * math.log(2)), "bit/px"
            shift = setting.source.shift(pictures)
        return Result(
            identity=self.identity(setting),
            unit=unit,
            value=value * scale + shift,
            stderr=None if error is None else error * scale,
            shift=shift,
            images=tuple(ImageScore(name, nats * scale + shift, count) for name, nats, count in images),
            scored=self._scored(model),
            of="patches",
            notes=self._notes(model),
            seed=setting.seed,
            device=str(setting.device),
            run=folder,
            training_seconds=seconds,
            scoring_seconds=time.monotonic() - begun,
            curve=Curve.read(setting.out / folder),
            **circumstances(),
        )

    def _origin(self) -> "PatchRow":
        """The row whose fitted density this one scores."""
        assert self.fitted is None or isinstance(self.fitted, PatchRow)
        return self.fitted or self

    def _count(self, setting: Setting) -> int:
        """Test patches to score."""
        whole = self.test or self.patches.test
        return whole if setting.length >= 1 else min(whole, max(LEAST_TEST, round(whole * setting.length)))

    def _fitted(self, pictures: Any, setting: Setting) -> tuple[nn.Module, str, float]:
        """The density, its directory below the results, and the seconds that the fit took."""
        training, held_out = hold_out(pictures, setting.source.held_out, setting.seed)
        sizes, begun = self.patches, time.monotonic()
        patches = self._prepared(draw_patches(training, sizes.training, sizes.side, setting.seed, "training"))
        others = self._prepared(draw_patches(held_out, sizes.held_out, sizes.side, setting.seed, "held out"))
        folder = setting.out / self.key
        with setting.fitting(f"{self.name}: fitting") as progress:
            model = fitted(
                self.density,
                sizes.dimension,
                (patches.values, others.values),
                folder,
                seed=setting.seed,
                length=setting.length,
                device=setting.device,
                progress=progress,
            )
        # The logs tell of earlier calls, too, the clock also of what comes before and after the steps.
        return model, self.key, max(logged_seconds(folder), time.monotonic() - begun)

    def _prepared(self, patches: PatchSet) -> PatchSet:
        return patches.without_dc() if self.patches.without_dc else patches.flat()

    def _scored(self, model: nn.Module) -> str:
        """What was scored, in words."""
        side = self.patches.side
        text = f"{side} x {side} patches" + (" without DC component" if self.patches.without_dc else "")
        if isinstance(model, Diffusion):
            text += ", a lower bound"
        if self.orders:
            text += ", in one random order" if self.orders == 1 else f", mixture over {self.orders} random orders"
        return text + (", mixture over 8 flips and transposes" if self.ensemble else "")

    def _notes(self, model: nn.Module) -> dict[str, float]:
        """What a model says of its own accuracy."""
        notes = {}
        if isinstance(model, GRBM):
            notes["standard error of ln Z by annealed importance sampling, nat"] = float(model.log_z_error)
            notes["chains that carry ln Z, of all"] = float(model.effective) / model.config.chains
        return notes


class _OverOrders(nn.Module):
    """The mixture of a deep RNADE over orderings."""

    def __init__(self, model: nn.Module, orders: int, seed: int) -> None:
        super().__init__()
        if not isinstance(model, DeepRNADE):
            raise ConfigError("only a deep RNADE is a mixture over orderings")
        self._model, self._orders, self._seed = model, orders, seed

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-likelihood of patches under the mixture in nats."""
        return self._model.ensemble_log_prob(x, self._orders, self._seed)
