"""What all commands have in common: their options, and how they speak."""

import json as json_format
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ride.errors import ConfigError, OutputError, RideError
from ride.progress import Progress

MOST_THREADS = 4096


class UsageError(RideError):
    """Arguments that the parser takes and the command cannot."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """A command; its fields are its arguments."""

    divided: ClassVar[bool] = False
    """Whether several processes that torchrun starts share the work."""
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

    def start(self) -> None:
        """Apply `threads`.

        Raises `ConfigError` for settings that make no sense.
        """
        if self.threads is not None:
            if not 1 <= self.threads <= MOST_THREADS:
                raise ConfigError(f"--threads must be at least 1 and at most {MOST_THREADS}, not {self.threads}")
            import torch

            torch.set_num_threads(self.threads)

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


def output_directory(path: Path) -> Path:
    """Make a directory to write into, before any long work is done.

    Raises `OutputError` if it cannot be made or written into.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"{path} is a file where a directory is needed: give another") from error
    except OSError as error:
        raise OutputError(f"cannot make the directory {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise OutputError(f"cannot write into the directory {path}: permission denied")
    return path


def output_file(path: Path, suffixes: tuple[str, ...], inputs: tuple[str | Path, ...] = ()) -> Path:
    """Check a file to be written, before any long work is done.

    Raises `ConfigError` for a suffix that is not one of those given and a file that is one of the inputs,
    `OutputError` if its directory is missing or cannot be written into.
    """
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"cannot write {path}: its name must end in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no directory {path.parent}")
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a directory")
    # One file may have many names.
    if path.exists() and os.path.realpath(path) in map(os.path.realpath, inputs):
        raise ConfigError(f"{path} would be written over what it is made of: give another --out")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"cannot write {path}: permission denied")
    return path
