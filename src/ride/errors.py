"""What can go wrong, as types, and the commonest check. Every message is one sentence that a person can act on."""

from collections.abc import Mapping


class RideError(Exception):
    """Base of all errors raised on purpose; the command line prints its message as one line."""


class DataError(RideError):
    """An image, array or folder that cannot be used: unreadable, empty, too small, not finite, out of range."""


class ModelError(RideError):
    """A model file that cannot be trusted or does not fit: truncated, altered, unknown schema, wrong shapes."""


class RunawayError(ModelError):
    """A model from which pixels that are NaN or infinite are drawn."""


class ConfigError(RideError, ValueError):
    """A setting, size or mask that makes no sense; it names the setting and the values that do."""


class BusyError(ConfigError):
    """A directory that another process is at work in."""


class OutputError(RideError):
    """A file or directory that cannot be written; nothing half-written is left behind."""


class RankError(RideError):
    """The processes of a run on several have lost each other, or were not started alike."""


class CodecError(RideError):
    """A compressed file that cannot be decoded: truncated, altered, made by another version or for another model."""


def require_at_least(least: int, settings: object, *names: str) -> None:
    """Raise `ConfigError`, which names the setting, unless each of these is so large."""
    check_at_least(least, {name: getattr(settings, name) for name in names})


def check_at_least(least: int, numbers: Mapping[str, int]) -> None:
    """Raise `ConfigError` for the first number that is smaller, by its name."""
    for name, value in numbers.items():
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, not {value}")
