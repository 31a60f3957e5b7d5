"""What a training run does: its stages and the settings they share."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from ride.errors import ConfigError
from ride.training import optimizers

LONGEST = 1_000_000
"""Times the usual length of a run."""
Crops = Literal["fresh", "tiles"]
Noise = Literal["fresh", "fixed"]


@dataclass(frozen=True)
class Stage:
    """One step of the curriculum: stochastic gradients on patches of one size, then L-BFGS on the MCGSM.

    Args:
        patch: side of the square patches in pixels.
        steps: batches to draw; None for passes over all patches.
        rate: learning rate at the start of the stage.
        rate_end: learning rate at its end, reached along half a cosine; None to keep it constant.
        head_iterations: iterations of L-BFGS on the MCGSM at the end of the stage, the layers below fixed.
        add_layer: start the stage by putting a new spatial LSTM on top.
        batch: patches a step in this stage; None for those of the run.
        epochs: passes over all patches where `steps` is None.

    Raises:
        ConfigError: a number makes no sense.
    """

    patch: int
    steps: int | None
    rate: float
    rate_end: float | None = None
    head_iterations: int = 0
    add_layer: bool = False
    batch: int | None = None
    epochs: float = 1.0

    def __post_init__(self) -> None:
        _at_least(1, {"patch": self.patch, "batch": self.batch})
        _at_least(
            0,
            {
                "steps": self.steps,
                "rate": self.rate,
                "rate_end": self.rate_end,
                "epochs": self.epochs,
                "head_iterations": self.head_iterations,
            },
        )


@dataclass(frozen=True)
class FitConfig:
    """How a model is fitted (section 3 of the paper, where it says so).

    Args:
        stages: the curriculum.
        optimizer: `sgd` with momentum, `adam`, or `soap`, which is Adam in a better basis for the spatial
            LSTMs.
        batch: patches a step, where a stage does not say otherwise.
        momentum: of stochastic gradient descent.
        betas: of Adam and SOAP: what remains after a step of the mean of gradients, and of that of their squares.
        warmup: steps over which the learning rate of the first stage rises to its value.
        clip: largest norm of the gradient; None for no clipping.
        crops: `fresh` draws patches at random places for each step, `tiles` cuts each image into patches that do
            not overlap, in a new order each stage.
        noise: `fresh` draws the dequantisation noise anew for each patch, `fixed` once for each image.
        mirror: flip patches along the horizontal axis at random (tiles: use each as it is and mirrored).
        flip: flip patches along the vertical axis at random (tiles: likewise).
        forget_bias: initial bias of the forget gates.
        whitening_pixels: pairs of neighborhood and pixel on which conditional whitening is fitted.
        head_pixels: pixels on which L-BFGS works.
        head_patch: side of the patches these come from, or what fits in every image if that is less; None for the
            stage's own.
        head_valid_pixels: further pixels that stop L-BFGS early; 0 for none.
        valid_tile: side of the tiles on which held-out images are scored, or of the largest that fit in all of them.
        stop_when_worse: end the run when a stage leaves the held-out images worse off, as the paper does; otherwise
            go on. The model kept is the best one either way.
        seed: of everything that is drawn.
        revive: steps between two looks for idle components of the MCGSM, which are put to work while the learning
            rate is high (see `revival`); None for no looks. The length of a run does not change it.

    Raises:
        ConfigError: there are no stages, or a number or a choice makes no sense.
    """

    stages: tuple[Stage, ...]
    optimizer: optimizers.Name = "adam"
    batch: int = 50
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 20
    clip: float | None = 1.0
    crops: Crops = "fresh"
    noise: Noise = "fresh"
    mirror: bool = True
    flip: bool = False
    forget_bias: float = 0.0
    whitening_pixels: int = 500_000
    head_pixels: int = 500_000
    head_patch: int | None = None
    head_valid_pixels: int = 100_000
    valid_tile: int = 64
    stop_when_worse: bool = False
    seed: int = 0
    revive: int | None = None

    def __post_init__(self) -> None:
        if not self.stages:
            raise ConfigError("a training run needs at least one stage")
        for name, choices in (("optimizer", optimizers.Name), ("crops", Crops), ("noise", Noise)):
            if getattr(self, name) not in get_args(choices):
                known = " or ".join(get_args(choices))
                raise ConfigError(f"{name} must be {known}, not {getattr(self, name)}")
        counts = ("batch", "whitening_pixels", "head_pixels", "head_patch", "valid_tile")
        _at_least(1, {name: getattr(self, name) for name in (*counts, "revive")})
        _at_least(0, {name: getattr(self, name) for name in ("momentum", "warmup", "head_valid_pixels")})
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas must be at least 0 and below 1, not {self.betas}")
        if self.clip is not None and not self.clip > 0:
            raise ConfigError(f"clip must be positive, or None for no clipping, not {self.clip}")

    def identity(self) -> dict[str, Any]:
        """What tells this run from others; `revive` is left out where it is None, so that digests and directories from
        before there was any stay valid."""
        values = asdict(self)
        return values if self.revive else {name: value for name, value in values.items() if name != "revive"}

    def batch_of(self, stage: Stage) -> int:
        """Patches a step in a stage."""
        return self.batch if stage.batch is None else stage.batch

    def scaled(self, factor: float) -> "FitConfig":
        """The same curriculum with `factor` times as many steps (or epochs) and iterations in each stage."""
        check_length(factor)

        def shorter(count: int) -> int:
            return max(1, round(count * factor)) if count else 0

        return replace(
            self,
            stages=tuple(
                replace(
                    stage,
                    steps=None if stage.steps is None else shorter(stage.steps),
                    epochs=stage.epochs * (factor if stage.steps is None else 1),
                    head_iterations=shorter(stage.head_iterations),
                )
                for stage in self.stages
            ),
        )


def check_length(factor: float) -> None:
    """Raise `ConfigError` for a length that no run can be scaled by."""
    if not 0 < factor <= LONGEST:
        raise ConfigError(f"the length of a run is scaled by a factor above 0 and up to {LONGEST:,}, not {factor}")


def _at_least(least: int, values: Mapping[str, int | float | None]) -> None:
    for name, value in values.items():
        if value is not None and not least <= value < math.inf:
            raise ConfigError(f"{name} must be at least {least} and finite, not {value}")
