"""`ride train`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from tyro.conf import Positional, arg

from ride.cli.computing import Computing
from ride.cli.options import output_directory
from ride.cli.seeded import files_channels, planes
from ride.data import Picture, WithHalves, hold_out
from ride.errors import ConfigError
from ride.models.files import RUN_MODEL, load
from ride.models.ride import RIDE, RIDEConfig
from ride.training import FitConfig, fit, presets
from ride.training.run import CHECKPOINT
from ride.wording import counted

PRESETS = {"default": presets.default, "paper": presets.paper, "again": presets.again, "onward": presets.onward}
CONTINUATIONS = ("again", "onward")


@dataclass(frozen=True, kw_only=True)
class Command(Computing):
    """Fit a model to images, in stages of growing patches, and keep the one that was best on held-out images.

    DATA is a folder, a glob in quotes, one image, an .npy or .npz, or `deadleaves`. The run writes its
    settings, a log in JSON lines, checkpoints and its best model into the folder OUT. Interrupt it at will:
    the same command goes on where it was, with as many threads to the same parameters bit for bit.
    `torchrun --nproc-per-node N -m ride train` divides the work over N processes.
    """

    divided: ClassVar[bool] = True
    data: Annotated[Positional[str], arg(metavar="DATA")]
    """The training images."""
    out: Path
    """Folder of the run; afterwards it can be named wherever a MODEL is asked for."""
    preset: Literal["default", "paper", "again", "onward"] = "default"
    """How to train: `default` is what works best here, `paper` the recipe of Theis and Bethge (2015). Two go on with
    the model of --start: `again` for a better one of the same kind, in three quarters of the time of `default`, and
    `onward` on larger patches, which is much shorter."""
    start_from: Annotated[str | None, arg(name="start")] = None
    """Begin with the parameters of this model (a file, a run's folder or a bundled name), whose sizes the new one
    then has; --largest-memory may be given anew."""
    length: float = 1.0
    """Scale the number of steps of each stage; 0.01 is a trial run."""
    patch: int | None = None
    """Make no patch larger than this, for images smaller than the patches of the preset."""
    valid: int | None = None
    """Images held out, chosen by the seed; a tenth of them unless given."""
    valid_data: str | None = None
    """Images to hold out instead, named as DATA is."""
    limit: int | None = None
    """Use the first so many images only."""
    halves: bool = False
    """Use each image at half its size too: four times, as means of 2 x 2 pixels. What a camera or a JPEG file has
    blurred, as are the colours of most, is sharp there."""
    leave_idle: bool = False
    """Leave components of the MCGSM that fall idle as they are; `default` and `again` put them to work again."""
    skip_unreadable: bool = False
    """Go on, with a note, where an image cannot be read."""
    model: Annotated[RIDEConfig, arg(name="")] = field(default_factory=RIDEConfig)

    def run(self) -> None:
        """Train, or go on training."""
        device = self.find_device()
        if self.valid is not None and self.valid_data is not None:
            raise ConfigError("--valid and --valid-data exclude each other: give one of them")
        if self.valid_data == self.data:
            raise ConfigError(
                "--valid-data names the images to train on: leave it out, and a tenth of them is held out"
            )
        start = load(self.start_from) if self.start_from else None
        sizes = self._sizes(start)
        if start:
            # Options that name a default size cannot be told from none.
            layers = f"{counted(sizes.layers, 'layer')} of {sizes.hidden} hidden units and " if sizes.layers else ""
            self.say(f"goes on with {self.start_from}: {layers}{counted(sizes.components, 'component')}")
        config = self._config(sizes.layers)
        torch.manual_seed(self.seed)
        model = RIDE(sizes).to(device)
        pictures = self._open(self.data, self.limit, sizes)
        held_out: Sequence[Picture] = self._open(self.valid_data, None, sizes) if self.valid_data else ()
        output_directory(self.out)
        pictures, held_out = self.listed(pictures), self.listed(held_out)
        if self.valid_data is None:
            pictures, held_out = self._split(pictures)
        pictures, held_out = (self._seen(part, sizes) for part in (pictures, held_out))
        halves = {"halves": True} if self.halves else {}
        with self.progress(f"{self.out}") as progress:
            result = fit(
                model,
                pictures,
                held_out,
                config,
                start=start,
                directory=self.out,
                card={"data": self.data, "images": len(pictures), "preset": self.preset} | halves,
                progress=progress,
            )
        file = self.out / RUN_MODEL
        bits = result.nats_per_pixel / math.log(2)
        scored = counted(len(held_out), "held-out image") if held_out else "training patches"
        work = f"{counted(result.stages, 'stage')}, {result.seconds / 60:.1f} minutes"
        self.say(f"wrote {file}: {bits:.3f} bit/px on {scored}, {work}")
        then = "ride quantize MODEL --colours RED BLUE --out FILE" if sizes.given else f"ride sample {self.out}"
        self.say(f"next: ride evaluate {self.out} DATA      {then}")
        self.give(
            {
                "written": str(file),
                "held_out_bits_per_pixel" if held_out else "training_bits_per_pixel": bits,
                "images": len(pictures),
                "held_out": len(held_out),
                "stages": result.stages,
                "seconds": result.seconds,
                "seed": self.seed,
            }
        )

    def kept(self) -> str:
        """Say whether there is a checkpoint."""
        if (self.out / CHECKPOINT).exists():
            return f"a checkpoint is kept in {self.out}; the same command goes on from it"
        return f"no checkpoint was due yet in {self.out}; the same command starts again"

    def _sizes(self, start: RIDE | None) -> RIDEConfig:
        """What is to be fitted."""
        if start is None:
            if self.preset in CONTINUATIONS:
                raise ConfigError(f"--preset {self.preset} goes on with a model: name it with --start")
            return self.model
        if replace(self.model, largest_memory=None) != RIDEConfig():
            raise ConfigError(
                "--start takes a model as large as it is: of its options only --largest-memory may be given"
            )
        bound = start.config.largest_memory if self.model.largest_memory is None else self.model.largest_memory
        return replace(start.config, largest_memory=bound)

    def _config(self, layers: int) -> FitConfig:
        config = replace(PRESETS[self.preset](layers), seed=self.seed)
        if self.length != 1.0:
            config = config.scaled(self.length)
        if self.leave_idle:
            config = replace(config, revive=None)
        if self.patch is not None:
            stages = (replace(stage, patch=min(stage.patch, self.patch)) for stage in config.stages)
            config = replace(config, stages=tuple(stages))
        return config

    def _open(self, source: str, limit: int | None, sizes: RIDEConfig) -> Sequence[Picture]:
        return self.open_pictures(
            source, channels=files_channels(sizes), limit=limit, skip_unreadable=self.skip_unreadable
        )

    def _seen(self, pictures: Sequence[Picture], sizes: RIDEConfig) -> Sequence[Picture]:
        """Images as the model sees them, halves included; none is both trained on and held out."""
        return planes(WithHalves(pictures) if self.halves else pictures, sizes)

    def _split(self, pictures: Sequence[Picture]) -> tuple[Sequence[Picture], Sequence[Picture]]:
        """Training images and held-out ones, both in their own order."""
        count = len(pictures) // 10 if self.valid is None else self.valid
        if not 0 <= count < len(pictures):
            raise ConfigError(f"--valid must leave images to train on: {count} of {len(pictures)} are held out")
        return hold_out(pictures, count, self.seed)
