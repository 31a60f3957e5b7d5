"""What all commands have in common: their options, and how they speak."""

import json as json_format
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ride.cli.together import started_together
from ride.errors import ConfigError, OutputError, RideError
from ride.progress import Progress

if TYPE_CHECKING:
    import torch

    from ride.data import Picture
    from ride.models.ride import RIDEConfig


class UsageError(RideError):
    """Arguments that the parser takes and the command cannot."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """A command; its fields are its arguments."""

    divided: ClassVar[bool] = False
    """Whether several processes that torchrun starts share the work."""
    seed: int = 0
    """Of everything that is drawn at random; the same seed gives the same result."""
    device: str = "cpu"
    """Where to compute: cpu, cuda or cuda:N."""
    threads: int | None = None
    """Processor threads to use; as many as there are cores unless given."""
    quiet: bool = False
    """Show no progress bar."""
    json: bool = False
    """Print one JSON object on standard output and nothing else there."""

    def run(self) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def kept(self) -> str:
        """What an interrupt leaves behind and how to go on, in one line."""
        return "nothing was written; the same command starts again"

    def start(self) -> "torch.device":
        """Apply `threads` and return the device.

        Raises `ConfigError` for a device that is not there, or settings that make no sense.
        """
        import torch

        if self.seed < 0:
            raise ConfigError(f"--seed must be 0 or more, not {self.seed}")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError(f"--threads must be at least 1, not {self.threads}")
            torch.set_num_threads(self.threads)
        try:
            device = torch.device(self.device)
        except RuntimeError:
            device = None
        if device is None or device.type not in ("cpu", "cuda"):
            raise ConfigError(f"--device must be cpu, cuda or cuda:N, not {self.device}")
        if device.type == "cuda" and started_together():
            return self._own_device(device)
        count = torch.cuda.device_count()
        if device.type == "cuda" and (device.index or 0) >= count:
            raise ConfigError(
                f"--device {self.device} is not there: PyTorch finds {count} CUDA devices on this machine;"
                " leave the option out to compute on the processor"
            )
        return device

    def _own_device(self, device: "torch.device") -> "torch.device":
        """One for each process of a machine."""
        import torch

        if device.index is not None:
            raise ConfigError(f"--device {self.device} is one for all processes: give cuda, and each takes its own")
        own, count = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
        if own >= count:
            raise ConfigError(
                f"--device cuda needs a CUDA device for each process and PyTorch finds {count} on this machine: start"
                " fewer processes on it, or leave the option out"
            )
        torch.cuda.set_device(own)
        return torch.device("cuda", own)

    def say(self, text: str) -> None:
        """Print for a person, unless standard output is kept for JSON."""
        if not self.json:
            print(text, flush=True)

    def give(self, result: dict[str, Any]) -> None:
        """Print the result as one JSON object if that was asked for."""
        if self.json:
            print(json_format.dumps(result), flush=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress | None]:
        """Yield what shows progress on standard error, None where nobody looks."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from ride.cli.progress import bar

        with bar(title) as tell:
            yield tell

    def open_pictures(
        self,
        source: str | Path,
        *,
        channels: int,
        limit: int | None = None,
        skip_unreadable: bool = False,
        part: Literal["train", "test"] = "train",
    ) -> "Sequence[Picture]":
        """Images as of `ride.data.open_pictures`, read under a bar; what is skipped is told on standard error.

        Raises `ConfigError` or `DataError` where there are none, or one cannot be read.
        """
        from ride.data import open_pictures

        if limit is not None and limit < 1:
            raise ConfigError(f"--limit must be at least 1, not {limit}")
        with self.progress("reading images") as progress:
            pictures = open_pictures(
                source,
                channels=channels,
                skip_unreadable=skip_unreadable,
                limit=limit,
                seed=self.seed,
                part=part,
                progress=progress,
            )
        for reason in pictures.skipped:
            print(f"ride: skipped: {reason}", file=sys.stderr)
        return pictures

    def open_planes(self, source: str | Path, config: "RIDEConfig", **how: Any) -> "Sequence[Picture]":
        """Images as a model of this kind sees them: `open_pictures`, and of colour the planes that it knows.

        Raises `ConfigError` or `DataError` where there are none, or one cannot be read.
        """
        return planes(self.open_pictures(source, channels=files_channels(config), **how), config)

    def listed(self, pictures: "Sequence[Picture]") -> "Sequence[Picture]":
        """Dead leaves in a list, made for it under a bar, if memory is to hold them; other images as they are."""
        from ride.data import DeadLeaves
        from ride.data.sources import KEPT_BYTES

        if not isinstance(pictures, DeadLeaves) or len(pictures) * math.prod(pictures.size) > KEPT_BYTES:
            return pictures
        with self.progress("making dead leaves") as progress:
            made = []
            for picture in pictures:
                made.append(picture)
                if progress:
                    progress(len(made), len(pictures))
            return made


def files_channels(config: "RIDEConfig") -> int:
    """Channels of the images that a model of this kind learns from."""
    return 3 if config.given else config.channels


def planes(pictures: "Sequence[Picture]", config: "RIDEConfig") -> "Sequence[Picture]":
    """Images as a model of this kind sees them: of colour the planes that it knows."""
    if not config.given:
        return pictures
    from ride.codec.colour import ColourPlanes

    return ColourPlanes(pictures, config.given)


def output_directory(path: Path) -> Path:
    """Make a directory to write into, before any long work is done.

    Raises `OutputError` if it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"{path} is a file where a directory is needed: give another") from error
    except OSError as error:
        raise OutputError(f"cannot make the directory {path}: {error.strerror}") from error
    return path


def output_file(path: Path, suffixes: tuple[str, ...]) -> Path:
    """Check a file to be written, before any long work is done.

    Raises `ConfigError` for a suffix that is not one of those given, `OutputError` if its directory is
    missing.
    """
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"cannot write {path}: its name must end in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no directory {path.parent}")
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a directory")
    return path
