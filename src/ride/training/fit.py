"""Fitting a RIDE: the curriculum of section 3, resumable bit for bit."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ride.data import Picture, Tiles, seeded
from ride.errors import DataError
from ride.models.files import save
from ride.models.ride import RIDE
from ride.progress import Progress
from ride.training.batches import Batches
from ride.training.config import FitConfig, Stage
from ride.training.head import HeadState, fit_head
from ride.training.presets import default
from ride.training.run import Run

CHECKPOINT_SECONDS = 60.0
LOG_STEPS = 100
HEAD_COST = 0.3
"""Cost of one pixel in one L-BFGS iteration over its cost in a gradient step, for the estimate of the time left."""


@dataclass
class Position:
    """How far a run has come."""

    stage: int = 0
    phase: str = "start"
    step: int = 0
    seconds: float = 0.0
    valid: float = -math.inf
    best: float = -math.inf
    best_layers: int = 0


@dataclass(frozen=True)
class FitResult:
    """What a run reached: the rate on held-out images (training patches if there are none) in nats per pixel."""

    nats_per_pixel: float
    stages: int
    seconds: float


def fit(
    model: RIDE,
    images: Sequence[Picture],
    valid_images: Sequence[Picture] = (),
    config: FitConfig | None = None,
    *,
    directory: str | Path | None = None,
    card: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit `model` in place and leave it with the parameters that were best on the held-out images.

    With a `directory` the run writes a log, checkpoints and its best model there, and the same call goes on where an
    earlier one was stopped, to the same result bit for bit.

    Raises:
        DataError: there are no images, or one is smaller than the largest patch.
        ConfigError: the directory holds another run.
        OutputError: the directory cannot be written.
    """
    return _Fit(
        model, images, valid_images, config or default(model.config.layers), directory, card or {}, progress
    ).run()


class _Fit:
    def __init__(
        self,
        model: RIDE,
        images: Sequence[Picture],
        valid_images: Sequence[Picture],
        config: FitConfig,
        directory: str | Path | None,
        card: dict[str, Any],
        progress: Progress | None,
    ) -> None:
        if not len(images):
            raise DataError("there are no images to train on")
        self.model, self.config, self.card, self.progress = model, config, card, progress
        self.device = model.whitening.mean_out.device
        self.batches = Batches(images, config)
        self.valid = Tiles(valid_images, config.valid_tile) if len(valid_images) else None
        self.position = Position()
        self.optimizer: torch.optim.Optimizer | None = None
        self.head: HeadState | None = None
        self.best: dict[str, Tensor] = {}
        self.clock = self.saved = time.monotonic()
        self.work_done = 0.0
        self.work = [self._work(stage) for stage in config.stages]
        settings = {
            "model": asdict(model.config),
            "fit": asdict(config),
            "data": {
                "train": self.batches.pixels.fingerprint,
                "valid": self.valid.pixels.fingerprint if self.valid else None,
            },
        }
        self.run_directory = Run(Path(directory), settings) if directory else None
        if self.run_directory and (tree := self.run_directory.restore()):
            self._restore(tree)

    def run(self) -> FitResult:
        """Work through the stages from wherever the run stands."""
        position = self.position
        while position.stage < len(self.config.stages):
            stage = self.config.stages[position.stage]
            if position.phase == "start":
                self._start(stage)
            if position.phase == "steps":
                self._steps(stage)
            if position.phase == "head":
                self._head(stage)
            if self._finish(stage):
                break
        if self.best:
            self.model.set_depth(position.best_layers)
            self.model.load_state_dict(self.best)
        return FitResult(position.best, position.stage, position.seconds)

    def _start(self, stage: Stage) -> None:
        config, position = self.config, self.position
        if position.stage == 0:
            torch.manual_seed(config.seed)
            self.model.fit_whitening(self._single_pixels(config.whitening_pixels, "whitening"))
            for layer in self.model.stack:
                layer.set_forget_bias(config.forget_bias)
        if stage.add_layer:
            torch.manual_seed(config.seed + 1 + position.stage)
            self.model.set_depth(len(self.model.layers) + 1)
            self.model.stack[-1].set_forget_bias(config.forget_bias)
        self.optimizer = None
        position.phase, position.step = "steps", 0

    def _steps(self, stage: Stage) -> None:
        config, position, model = self.config, self.position, self.model
        optimizer = self._optimizer()
        total = self.batches.steps(stage)
        parameters = list(model.parameters())
        sums, since = 0.0, 0
        while position.step < total:
            for group in optimizer.param_groups:
                group["lr"] = self._rate(stage, total)
            patches = self.batches.draw(position.stage, stage, position.step).to(self.device)
            optimizer.zero_grad()
            rate = model.mean_log_prob(patches)
            (-rate).backward()
            if config.clip is not None:
                nn.utils.clip_grad_norm_(parameters, config.clip)
            optimizer.step()
            position.step += 1
            sums, since = sums + float(rate.detach()), since + 1
            self.work_done += self._pixels(stage.patch) * config.batch
            if position.step % LOG_STEPS == 0 or position.step == total:
                self._log(phase="steps", step=position.step, steps=total, nats_per_pixel=sums / since)
                self._tell(f"stage {position.stage + 1}, {sums / since / math.log(2):.3f} bit/px in training")
                sums, since = 0.0, 0
                self._checkpoint()
        position.phase, position.step = "head", 0
        self.optimizer = None
        self._checkpoint(always=True)

    def _head(self, stage: Stage) -> None:
        if stage.head_iterations:
            config, model = self.config, self.model
            pixels = self._head_pixels(stage, config.head_pixels, "head")
            held = self._head_pixels(stage, config.head_valid_pixels, "held") if config.head_valid_pixels else None
            each = HEAD_COST * config.head_pixels
            start = self.work_done

            def after_look(state: HeadState) -> None:
                self.head = state
                self.position.step = state.iteration
                self.work_done = start + each * state.iteration
                bits = (state.rate + float(model.whitening.log_jacobian)) / math.log(2)
                self._log(phase="head", step=state.iteration, steps=stage.head_iterations, bits_per_pixel=bits)
                self._tell(f"stage {self.position.stage + 1}, {bits:.3f} bit/px in fine-tuning")
                self._checkpoint()

            fit_head(model.head, pixels, held, stage.head_iterations, self.head, after_look)
        self.head = None
        self.position.phase = "finish"

    def _finish(self, stage: Stage) -> bool:
        """Score the held-out images, keep the best model and say whether to end the run."""
        position = self.position
        valid = self._score() if self.valid else math.nan
        worse = self.valid is not None and valid < position.valid
        position.valid = valid
        if not self.valid or valid > position.best:
            position.best, position.best_layers = valid, len(self.model.layers)
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            self._keep(valid)
        self._log(phase="valid", bits_per_pixel=valid / math.log(2))
        position.stage, position.phase, position.step = position.stage + 1, "start", 0
        self.work_done = sum(self.work[: position.stage])
        end = worse and self.config.stop_when_worse
        if end:
            position.stage = len(self.config.stages)
        self._checkpoint(always=True)
        self._tell(f"stage {position.stage} done, {valid / math.log(2):.3f} bit/px held out")
        return end

    def _optimizer(self) -> torch.optim.Optimizer:
        """The optimizer of the stage: new at its start (the velocity begins at 0), restored in its middle."""
        if self.optimizer is None:
            parameters = self.model.parameters()
            if self.config.optimizer == "sgd":
                self.optimizer = torch.optim.SGD(parameters, lr=0.0, momentum=self.config.momentum)
            else:
                self.optimizer = torch.optim.Adam(parameters, lr=0.0)
        return self.optimizer

    def _rate(self, stage: Stage, total: int) -> float:
        """The learning rate of the next step: constant, or half a cosine, after the warm-up of the first stage."""
        rate, step = stage.rate, self.position.step
        if stage.rate_end is not None:
            rate = stage.rate_end + (rate - stage.rate_end) * 0.5 * (1 + math.cos(math.pi * step / total))
        if self.position.stage == 0 and step < self.config.warmup:
            rate *= (step + 1) / self.config.warmup
        return rate

    def _single_pixels(self, count: int, purpose: str) -> Iterator[Tensor]:
        """Crops that hold one predicted pixel each: pixels at independent random places."""
        n = self.model.neighborhood
        sampler = self.batches.sampler((n.radius + 1, n.width))
        for part, size in enumerate(_parts(count, 10_000)):
            yield sampler.draw(size, seeded(self.config.seed, purpose, part)).to(self.device)

    @torch.no_grad()
    def _head_pixels(self, stage: Stage, count: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Hidden units and whitened pixels for L-BFGS: from single pixels without layers, from patches with them."""
        model, config, place = self.model, self.config, self.position.stage
        if not model.layers:
            pairs = [model.hidden_states(crops) for crops in self._single_pixels(count, f"{purpose} {place}")]
        else:
            patch = config.head_patch or stage.patch
            sampler = self.batches.sampler((patch, patch))
            patches = _parts(math.ceil(count / self._pixels(patch)), 50)
            pairs = [
                model.hidden_states(sampler.draw(size, seeded(config.seed, purpose, place, part)).to(self.device))
                for part, size in enumerate(patches)
            ]
        x, y = (torch.cat(columns) for columns in zip(*pairs, strict=True))
        return x, y

    @torch.no_grad()
    def _score(self) -> float:
        """Mean log-likelihood of the held-out tiles in nats per pixel; always with the same noise."""
        assert self.valid is not None
        total, tiles = 0.0, len(self.valid)
        for start in range(0, tiles, 50):
            batch = torch.arange(start, min(start + 50, tiles))
            images = self.valid.batch(batch, seeded(self.config.seed, "valid", start)).to(self.device)
            total += float(self.model.mean_log_prob(images)) * len(batch)
        return total / tiles

    def _keep(self, valid: float) -> None:
        if self.run_directory:
            card = {**self.card, "held_out_bits_per_pixel": valid / math.log(2), "fit": asdict(self.config)}
            save(self.model, self.run_directory.model_path, card)

    def _pixels(self, patch: int) -> int:
        height, width = self.model.neighborhood.predicted_shape(patch, patch)
        return height * width

    def _work(self, stage: Stage) -> float:
        """Cost of a stage in predicted pixels of a gradient step."""
        steps = self.batches.steps(stage) * self.config.batch * self._pixels(stage.patch)
        return steps + HEAD_COST * self.config.head_pixels * stage.head_iterations

    def _log(self, **record: float | str) -> None:
        if self.run_directory:
            seconds = round(self._seconds(), 1)
            self.run_directory.log({"stage": self.position.stage, **record, "seconds": seconds})

    def _tell(self, message: str) -> None:
        if self.progress:
            self.progress(int(self.work_done), int(sum(self.work)), message)

    def _seconds(self) -> float:
        now = time.monotonic()
        self.position.seconds += now - self.clock
        self.clock = now
        return self.position.seconds

    def _checkpoint(self, always: bool = False) -> None:
        if not self.run_directory or (not always and time.monotonic() - self.saved < CHECKPOINT_SECONDS):
            return
        self._seconds()
        self.run_directory.save(
            {
                "position": vars(self.position),
                "layers": len(self.model.layers),
                "model": dict(self.model.state_dict()),
                "optimizer": self.optimizer.state_dict() if self.optimizer else None,
                "head": vars(self.head) if self.head else None,
                "best": self.best,
                "work_done": self.work_done,
            }
        )
        self.saved = time.monotonic()

    def _restore(self, tree: dict[str, Any]) -> None:
        self.position = Position(**tree["position"])
        self.model.set_depth(tree["layers"])
        self.model.load_state_dict(tree["model"])
        if tree["optimizer"]:
            self._optimizer().load_state_dict(tree["optimizer"])
        self.head = HeadState(**tree["head"]) if tree["head"] else None
        self.best, self.work_done = tree["best"], tree["work_done"]


def _parts(count: int, most: int) -> list[int]:
    return [min(most, count - start) for start in range(0, count, most)]
