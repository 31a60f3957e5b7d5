"""Compressed files as arguments, where what is made of them goes, and how it is told."""

import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ride.atomic import replacing
from ride.cli.options import Options, UsageError
from ride.errors import CodecError, ConfigError, DataError, OutputError, RideError
from ride.progress import Progress
from ride.wording import counted

Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True)
class Together(Options):
    """A command on many files, under one progress bar."""

    @contextmanager
    def together(self, doing: str, files: int) -> Iterator[tuple[Progress | None, Callable[[str], None]]]:
        """Yield the bar's progress and what says a line: at once, or when the bar, is gone."""
        lines: list[str] = []
        try:
            with self.progress(f"{doing} {counted(files, 'file')}") as progress:
                yield progress, lines.append if progress else self.say
        finally:
            for line in lines:
                self.say(line)

    def finish(self, values: dict[str, Any], refused: list[RideError], files: int, done: str) -> None:
        """Give the values, and name the files that were left out.

        Raises:
            RideError: there are such.
        """
        if refused and files == 1:
            raise refused[0]
        for error in refused:
            print(f"ride: left out: {error}", file=sys.stderr)
        self.give(values | {"left_out": list(map(str, refused))})
        if refused:
            others = "; the others are" if len(refused) < files else ""
            raise DataError(f"{counted(len(refused), 'file')} of {files} could not be {done}{others}")


def readable(
    sources: Iterable[Path], read: Callable[[Path], Read], taken: deque[Path], refused: list[RideError]
) -> Iterator[Read]:
    """What is read of those files that can be used, which go into `taken`; why others cannot, into `refused`."""
    for source in sources:
        try:
            found = read(source)
        except (DataError, CodecError) as error:
            refused.append(error)
            continue
        taken.append(source)
        yield found


def of_total(progress: Progress | None, total: int) -> Progress | None:
    """Progress whose total is known before all files are read."""
    if progress is None:
        return None
    return lambda done, known, message="": progress(done, max(total, done), message)


def claimed(path: Path) -> int:
    """How many bytes of pixels a compressed file claims to have; 0 where it cannot be read."""
    from ride.codec.container import HEADER, claimed_bytes

    try:
        with path.open("rb") as file:
            return claimed_bytes(file.read(HEADER.size))
    except OSError:
        return 0


def read_compressed(path: Path) -> bytes:
    """The bytes of a file, of which no more are read than one with its header can have.

    Raises:
        CodecError: it cannot be read, or is longer.
    """
    from ride.codec.container import HEADER, MAGIC, most_bytes

    try:
        with path.open("rb") as file:
            head = file.read(HEADER.size)
            if not head.startswith(MAGIC):
                return head  # Enough to tell what is wrong with it.
            if path.is_file() and path.stat().st_size > most_bytes(head):
                raise CodecError(f"cannot read {path}: it is longer than its header allows, and so damaged")
            return head + file.read()
    except OSError as error:
        raise CodecError(f"cannot read {path}: {error.strerror}") from error


def targets(sources: tuple[Path, ...], out: Path | None, suffixes: tuple[str, ...], force: bool) -> dict[Path, Path]:
    """Where each of the sources goes, checked before any work: beside it with the first suffix, or where `out` says.

    Raises:
        UsageError: there are no sources.
        ConfigError: `out` is no folder for several, or has another suffix, two sources would go into one file, or one
            over another.
        OutputError: a file is there, and `force` is not, or a folder is missing.
    """
    if not sources:
        raise UsageError("give at least one file")
    places = {}
    for source in sources:
        if out is None or out.is_dir():
            target = (out or source.parent) / f"{source.stem}{suffixes[0]}"
        elif len(sources) > 1:
            raise ConfigError(f"--out must be a folder that exists for {len(sources)} files, not {out}")
        elif out.suffix.lower() not in suffixes:
            raise ConfigError(f"cannot write {out}: its name must end in {' or '.join(suffixes)}")
        else:
            target = out
        if not target.parent.is_dir():
            raise OutputError(f"cannot write {target}: there is no directory {target.parent}")
        _check_free(target, force)
        places[source] = target
    # One file may have many names.
    files = [os.path.realpath(target) for target in places.values()]
    if len(set(files)) < len(files):
        raise ConfigError("two of the files would be written to one: give them to different folders with --out")
    for source in sources:
        if os.path.realpath(source) in files:
            raise ConfigError(f"{source} would be overwritten by what is made of the files: give another --out")
    return places


@contextmanager
def written_like(source: Path, target: Path, force: bool) -> Iterator[Path]:
    """Yield a temporary file that becomes `target`, to be read by whom `source` is.

    Raises:
        OutputError: it cannot be written, or has come into being since `targets`, and `force` is not.
    """
    with replacing(target) as temporary:
        yield temporary
        _check_free(target, force)
        # Not every file system has such a thing.
        with suppress(OSError):
            shutil.copymode(source, temporary)


def _check_free(target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise OutputError(f"{target} exists: give --force to overwrite it, or another --out")
