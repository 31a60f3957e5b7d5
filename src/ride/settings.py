"""Directories that belong to the settings they were made with, so that work in them can be taken up again."""

import json
from pathlib import Path
from typing import Any

from ride.atomic import write_bytes
from ride.errors import ConfigError, OutputError


def claim(file: Path, settings: dict[str, Any], what: str) -> None:
    """Write settings into a JSON file, making its directory, or see that they are those that it holds already.

    Args:
        file: the file in the directory to be claimed.
        settings: anything that JSON can hold.
        what: is made in the directory, for messages: `a run`.

    Raises:
        ConfigError: the directory belongs to other settings, or its file cannot be understood.
        OutputError: the directory cannot be made or written.
    """
    settings = json.loads(json.dumps(settings))
    directory = file.parent
    make_directory(directory, what)
    try:
        old = file.read_bytes() if file.exists() else None
    except OSError as error:
        raise _unusable(directory, what, error) from error
    if old is None:
        write_bytes(file, json.dumps(settings, indent=1).encode())
        return
    try:
        before = json.loads(old)
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise ConfigError(f"{file} is damaged: give another directory")
    _refuse_other(directory, before, settings, what)


def make_directory(directory: Path, what: str) -> None:
    """Make a directory for this, say `a run`, if it is not there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(directory, what, error) from error


def _unusable(directory: Path, what: str, error: OSError) -> OutputError:
    return OutputError(f"cannot use the directory {directory} for {what}: {error.strerror}")


def _refuse_other(directory: Path, old: dict[str, Any], new: dict[str, Any], what: str) -> None:
    for part in sorted(old.keys() | new.keys()):
        if old.get(part) != new.get(part):
            before, after = old.get(part), new.get(part)
            while isinstance(before, dict) and isinstance(after, dict):
                name = next(k for k in sorted(before.keys() | after.keys()) if before.get(k) != after.get(k))
                part, before, after = f"{part}.{name}", before.get(name), after.get(name)
            raise ConfigError(
                f"{directory} holds {what} with {part} = {_short(before)}, not {_short(after)}: "
                "give its settings to resume it, or another directory"
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
