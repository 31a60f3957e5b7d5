"""Working through the stages of a run, from wherever it stands."""

import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from ride import ranks
from ride.data import Picture, Pixels, Tiles, seeded
from ride.errors import ConfigError, DataError, ModelError, RideError
from ride.models.files import save
from ride.models.ride import RIDE
from ride.progress import Progress
from ride.training import optimizers
from ride.training.batches import Batches
from ride.training.checkpoints import from_main
from ride.training.checks import check_fit, head_patch, held_out_tile
from ride.training.config import FitConfig, Stage
from ride.training.features import head_pixels, single_pixels, states_of
from ride.training.gradients import descent
from ride.training.guard import Guard, all_finite
from ride.training.head import HeadState, fit_head
from ride.training.position import Position, Work
from ride.training.revival import revive, usage
from ride.training.run import CHECKPOINT, Run
from ride.training.schedule import learning_rate
from ride.training.scoring import held_out_tiles, mean_rate, training_patches
from ride.training.start import begin_with

CHECKPOINT_SECONDS = 60.0
LOG_STEPS = 100
REVIVAL_RATE = 0.1
"""Of the highest learning rate of a run: with less, components that are put to work would not find their place."""
LEAST_PATCHES = 4
"""Patches for a thread of its own: with fewer the products of a diagonal are too small."""


class Curriculum:
    """One run: the model, the data, where it stands, and its directory if it has one.

    On several ranks each has all of this and comes to the same decisions from the same numbers. Patches and pixels are
    drawn by all of them and divided, so that a run is a function of its seed and not of their number. Rank 0 alone
    has the directory and tells of the progress.
    """

    def __init__(
        self,
        model: RIDE,
        images: Sequence[Picture],
        valid_images: Sequence[Picture],
        config: FitConfig,
        start: RIDE | None,
        directory: str | Path | None,
        card: dict[str, Any],
        progress: Progress | None,
    ) -> None:
        if not len(images):
            raise DataError("there are no images to train on")
        self.model, self.config, self.card = model, config, card
        self.progress = progress if ranks.main() else None
        self.batches, n = Batches(images, config), model.neighborhood
        held_out = Pixels(valid_images) if len(valid_images) else None
        check_fit(model, config, self.batches.pixels, held_out)
        self.valid = Tiles(held_out, held_out_tile(config, held_out)) if held_out else None
        self.position = Position()
        self.optimizer: torch.optim.Optimizer | None = None
        self.head: HeadState | None = None
        self.guard = Guard()
        self.best: dict[str, Tensor] = {}
        self.clock = self.saved = time.monotonic()
        self.work = Work(config, self.batches.steps, lambda patch: math.prod(n.predicted_shape(patch, patch)))
        data = {"train": self.batches.pixels.fingerprint, "valid": held_out.fingerprint if held_out else None}
        if self._seen(images, valid_images, data):
            raise ConfigError("the held-out images are those to train on: give others, or hold out a part of them")
        settings = {
            "model": model.config.identity(),
            "fit": config.identity(),
            "data": data,
            "start": None if start is None else begin_with(model, start),
        }
        self._check_card()
        _check_alike(settings)
        self.directory: Run | None = None
        self.resumable = bool(directory)
        begun = from_main(lambda: self._open(directory, settings))
        if begun["checkpoint"]:
            self._restore(Path(directory or ""), begun["checkpoint"])
        else:
            # Equal models may have been meant, and only the one of rank 0 is known to be.
            self._put(begun["layers"], begun["model"])
            self._checkpoint(always=True)

    def work_through(self) -> None:
        """Go on to the end and leave the model with its best parameters."""
        position = self.position
        while position.stage < len(self.config.stages) and not position.ended:
            stage = self.config.stages[position.stage]
            self._tell(f"stage {position.stage + 1} of {len(self.config.stages)}")
            if position.phase == "start":
                self._start(stage)
            if position.phase == "steps":
                self._steps(stage)
            if position.phase == "head":
                self._head(stage)
            self._finish(stage)
        self._put(position.best_layers, self.best)
        if self.directory and not self.directory.model_path.exists():
            # It was taken away since it was written.
            self._keep(position.best)

    def _seen(self, images: Sequence[Picture], valid_images: Sequence[Picture], data: dict[str, str | None]) -> bool:
        """Whether the held-out images are those to train on, with whatever noise these keep."""
        if len(images) != len(valid_images):
            return False
        fixed = self.config.noise == "fixed"
        return data["train"] == (Batches(valid_images, self.config).pixels.fingerprint if fixed else data["valid"])

    def _open(self, directory: str | Path | None, settings: dict[str, Any]) -> dict[str, Any]:
        """What the run goes on from, and the model that it begins with if that is nothing."""
        self.directory = Run(Path(directory), settings) if directory else None
        return {"checkpoint": self.directory.restore() if self.directory else None, **self._parameters()}

    def _start(self, stage: Stage) -> None:
        config, position, model = self.config, self.position, self.model
        if position.stage == 0 and not model.whitening.fitted:
            self._tell("fitting the conditional whitening")
            # Each rank by itself: all read the same pixels, in the same order.
            model.fit_whitening(single_pixels(model, self.batches, config.whitening_pixels, "whitening"))
            for layer in model.stack:
                layer.set_forget_bias(config.forget_bias)
        if stage.add_layer:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(config.seed + 1 + position.stage)
                model.set_depth(len(model.layers) + 1)
            model.stack[-1].set_forget_bias(config.forget_bias)
        # A stage is to be no worse than the one before, unless it begins with a new MCGSM.
        self.optimizer, self.guard = None, Guard(-math.inf if stage.add_layer else self.guard.level)
        position.phase, position.step = "steps", 0

    def _steps(self, stage: Stage) -> None:
        config, position, model = self.config, self.position, self.model
        optimizer = self._optimizer()
        total = self.batches.steps(stage)
        parameters = list(model.parameters())
        if position.step == 0:
            self.guard.hold(0, model, optimizer)
        while position.step < total:
            rate = self.guard.slowdown * learning_rate(config, position.stage, position.step, total)
            for group in optimizer.param_groups:
                group["lr"] = rate
            patches = self.batches.draw(position.stage, stage, position.step)
            own = ranks.share(patches).to(model.whitening.mean_out)
            weight = len(own) / len(patches)
            objective = float(descent(parameters, model.mean_log_prob, [own], weight, LEAST_PATCHES))
            norm = nn.utils.clip_grad_norm_(parameters, math.inf if config.clip is None else config.clip)
            if not norm.isfinite():
                # Gradients overflow sooner than the likelihood, and a step along them leads nowhere.
                objective = math.nan
            if self.guard.astray(objective):
                self._go_back(objective)
                continue
            self._expect_finite(objective)
            optimizer.step()
            position.step += 1
            self.guard.keep(position.step, objective, model, optimizer)
            if position.step == total and not all_finite(model):
                # No step follows that would notice.
                self._go_back(math.nan)
                continue
            # What is kept was well; whether the twins are is seen in the next steps.
            if self._looks(position.step, total):
                self._revive(own)
            position.rates, position.counted = position.rates + objective, position.counted + 1
            mean = position.rates / position.counted
            if position.step % LOG_STEPS == 0 or position.step == total:
                self._log("steps", mean, step=position.step, steps=total, learning_rate=rate)
                position.rates, position.counted = 0.0, 0
            self._tell(f"stage {position.stage + 1}, {mean / math.log(2):.3f} bit/px in training")
            self._checkpoint()
        position.phase, position.step = "head", 0
        self.optimizer = None
        self._checkpoint(always=True)

    def _looks(self, step: int, total: int) -> bool:
        """Whether to look for idle components after so many steps of the stage."""
        config = self.config
        if not config.revive or step % config.revive or step == total:
            return False
        rate = self.guard.slowdown * learning_rate(config, self.position.stage, step, total)
        return rate >= REVIVAL_RATE * max(stage.rate for stage in config.stages)

    def _revive(self, patches: Tensor) -> None:
        """Put the idle components of the MCGSM to work, those that explain next to nothing of some patches."""
        head, position = self.model.head, self.position
        shares = usage(head, *states_of(self.model, [patches]))
        generator = seeded(self.config.seed, "revival", position.stage, position.step)
        revived = revive(head, self._optimizer(), shares, generator)
        if revived:
            self._log("revived", None, step=position.step, components=revived)

    def _go_back(self, objective: float) -> None:
        """Go back to where the run was well; raise ConfigError where lower and lower rates have not helped."""
        assert self.optimizer
        step = self.guard.go_back(self.model, self.optimizer)
        if step is None:
            self._diverged()
        position = self.position
        told = {"from": position.step, "step": step, "slowdown": self.guard.slowdown}
        # A rate of minus infinity, or none, cannot be written down; in the first steps there is no level either.
        rates = [rate for rate in (objective, self.guard.level) if math.isfinite(rate)]
        self._log("back", rates[0] if rates else None, **told)
        position.step, position.rates, position.counted = step, 0.0, 0

    def _head(self, stage: Stage) -> None:
        config, position, model = self.config, self.position, self.model
        if stage.head_iterations:
            self._tell(f"stage {position.stage + 1}, preparing the fine-tuning")
            patch = head_patch(config, stage.patch, self.batches.pixels)
            drawn = {
                purpose: head_pixels(model, self.batches, patch, count, purpose, position.stage)
                for purpose, count in (("head", config.head_pixels), ("held", config.head_valid_pixels))
                if count
            }

            def after_look(state: HeadState) -> None:
                self.head, position.step = state, state.iteration
                rate = state.rate + float(model.whitening.log_jacobian)
                self._log("head", rate, step=position.step, steps=stage.head_iterations)
                self._tell(f"stage {position.stage + 1}, {rate / math.log(2):.3f} bit/px in fine-tuning")
                self._checkpoint()

            fit_head(model.head, drawn["head"], drawn.get("held"), stage.head_iterations, self.head, after_look)
        self.head = None
        position.phase, position.step = "finish", 0

    def _finish(self, stage: Stage) -> None:
        """Score the model, keep it if it is the best, and see whether to end the run."""
        position = self.position
        scored = "held out" if self.valid else "on training patches"
        self._tell(f"stage {position.stage + 1}, scoring")
        seed = self.config.seed
        data = held_out_tiles(self.valid, seed) if self.valid else training_patches(self.batches, stage)
        rate = self._expect_finite(mean_rate(self.model, data))
        worse = self.valid is not None and rate < position.valid
        position.valid = rate
        # Rates of training patches say little from stage to stage: then the last model counts as the best.
        if self.valid is None or rate > position.best:
            position.best, position.best_layers = rate, len(self.model.layers)
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            self._keep(rate)
        self._log("valid" if self.valid else "train", rate)
        position.stage, position.phase, position.step = position.stage + 1, "start", 0
        position.ended = worse and self.config.stop_when_worse
        self._checkpoint(always=True)
        self._tell(f"stage {position.stage} done, {rate / math.log(2):.3f} bit/px {scored}")

    def _optimizer(self) -> torch.optim.Optimizer:
        """The optimizer of the stage: new at its start (the velocity begins at 0), restored in its middle."""
        if self.optimizer is None:
            config = self.config
            self.optimizer = optimizers.make(config.optimizer, self.model, config.betas, config.momentum)
        return self.optimizer

    def _keep(self, rate: float) -> None:
        if self.directory:
            name = "held_out_bits_per_pixel" if self.valid else "training_bits_per_pixel"
            save(
                self.model,
                self.directory.model_path,
                {**self.card, name: rate / math.log(2), "fit": asdict(self.config)},
            )

    def _check_card(self) -> None:
        """Raise ConfigError now, not when the first model is kept."""
        try:
            json.dumps(self.card, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the card of a model must hold only what JSON can: {error}") from error

    def _expect_finite(self, rate: float) -> float:
        """Raise ConfigError unless training has kept to numbers."""
        if not math.isfinite(rate):
            self._diverged()
        return rate

    def _diverged(self) -> NoReturn:
        position = self.position
        stage = self.config.stages[position.stage]
        place = f"step {position.step + 1}" if position.phase == "steps" else "the end"
        kept = ""
        if self.best:
            self._put(position.best_layers, self.best)
            kept = "; the best model of the stages before is kept"
        raise ConfigError(
            f"training diverged, the log-likelihood fell far or is not finite at {place} of stage "
            f"{position.stage + 1}: give this stage a learning rate below {stage.rate:g}"
            + (" and another directory" if self.resumable else "")
            + kept
        )

    def _tell(self, message: str) -> None:
        if not self.progress:
            return
        try:
            self.progress(self.work.done(self.position), self.work.total, message)
        except BaseException:
            # It ends the work, at a place where that can be taken up again: nothing is lost.
            with suppress(RideError):
                self._checkpoint(always=True)
            raise

    def _log(self, phase: str, rate: float | None, **more: int | float) -> None:
        if self.directory:
            rates = {"nats_per_pixel": rate, "bits_per_pixel": None if rate is None else rate / math.log(2)}
            seconds = round(self._seconds(), 1)
            self.directory.log({"stage": self.position.stage, "phase": phase, **more, **rates, "seconds": seconds})

    def _seconds(self) -> float:
        now = time.monotonic()
        self.position.seconds += now - self.clock
        self.clock = now
        return self.position.seconds

    def _checkpoint(self, always: bool = False) -> None:
        self._seconds()
        if not self.directory or (not always and time.monotonic() - self.saved < CHECKPOINT_SECONDS):
            return
        if not all_finite(self.model):
            if not always:
                # The next step goes back, whenever it was that a checkpoint fell due.
                return
            self._diverged()
        self.directory.save(
            {
                "position": vars(self.position),
                **self._parameters(),
                "optimizer": self.optimizer.state_dict() if self.optimizer else None,
                "head": vars(self.head) if self.head else None,
                "guard": vars(self.guard),
                "best": self.best,
            }
        )
        self.saved = time.monotonic()

    def _parameters(self) -> dict[str, Any]:
        return {"layers": len(self.model.layers), "model": dict(self.model.state_dict())}

    def _restore(self, directory: Path, tree: dict[str, Any]) -> None:
        try:
            self.position = Position(**tree["position"])
            self._put(tree["layers"], tree["model"])
            if tree["optimizer"]:
                self._optimizer().load_state_dict(tree["optimizer"])
            self.head = HeadState(**tree["head"]) if tree["head"] else None
            self.guard = Guard(**tree.get("guard", {}))
            self.best = tree["best"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{directory / CHECKPOINT} does not fit this run ({error}): remove it to start the run anew"
            ) from error

    def _put(self, layers: int, tensors: dict[str, Tensor]) -> None:
        """Give the model these layers and parameters."""
        if layers != len(self.model.layers):
            # The new layers are drawn at random, for nothing: the user's random numbers stay as they were.
            with torch.random.fork_rng(devices=[]):
                self.model.set_depth(layers)
        self.model.load_state_dict(tensors)


def _check_alike(settings: dict[str, Any]) -> None:
    """Raise ConfigError on all ranks unless they were given the same."""
    given = ranks.gather(settings)
    for number, other in enumerate(given):
        for part in settings:
            if other[part] != given[0][part]:
                raise ConfigError(
                    f"process {number} was given another {part} than process 0: {_short(other[part])}, not "
                    f"{_short(given[0][part])}; start all with the same command and the same images"
                )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."
