"""Compressed files as arguments, where what is made of them goes, and how it is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ride.cli.options import Options, counted
from ride.errors import CodecError, ConfigError, OutputError
from ride.progress import Progress


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
    """The bytes of a file; raises `CodecError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CodecError(f"cannot read {path}: {error.strerror}") from error


def targets(sources: tuple[Path, ...], out: Path | None, suffix: str, force: bool) -> dict[Path, Path]:
    """Where each of the sources goes, checked before any work: beside it, or where `out` says.

    Raises:
        ConfigError: `out` is no folder for several, or has another suffix, or two sources would go into one file.
        OutputError: a file is there, and `force` is not.
    """
    places = {}
    for source in sources:
        if out is None or out.is_dir():
            target = (out or source.parent) / f"{source.stem}{suffix}"
        elif len(sources) > 1:
            raise ConfigError(f"--out must be a folder that exists for {len(sources)} files, not {out}")
        elif out.suffix.lower() != suffix:
            raise ConfigError(f"cannot write {out}: its name must end in {suffix}")
        else:
            target = out
        if target.exists() and not force:
            raise OutputError(f"{target} exists: give --force to overwrite it, or another --out")
        places[source] = target
    if len(set(places.values())) < len(places):
        raise ConfigError("two of the files would be written to one: give them to different folders with --out")
    return places
