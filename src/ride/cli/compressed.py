"""Compressed files as arguments, and where what is made of them goes."""

from pathlib import Path

from ride.errors import CodecError, ConfigError, OutputError


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
