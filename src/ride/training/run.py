"""The directory of a training run: its settings, its log in JSON lines, its checkpoint and its best model."""

import json
from pathlib import Path
from typing import Any

from ride.atomic import write_bytes
from ride.errors import ConfigError, OutputError
from ride.training.checkpoints import load_checkpoint, save_checkpoint


class Run:
    """Files of one run: `run.json`, `log.jsonl`, `checkpoint.safetensors` and `model.safetensors`.

    Raises:
        ConfigError: the directory holds a run with other settings or other data.
        OutputError: the directory cannot be made or written.
    """

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self.directory = directory
        settings = json.loads(json.dumps(settings))
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the run directory {directory}: {error.strerror}") from error
        if self._settings.exists():
            _refuse_other(directory, json.loads(self._settings.read_text()), settings)
        else:
            write_bytes(self._settings, json.dumps(settings, indent=1).encode())

    @property
    def _settings(self) -> Path:
        return self.directory / "run.json"

    @property
    def _log(self) -> Path:
        return self.directory / "log.jsonl"

    @property
    def _checkpoint(self) -> Path:
        return self.directory / "checkpoint.safetensors"

    @property
    def model_path(self) -> Path:
        """Where the best model so far is kept."""
        return self.directory / "model.safetensors"

    def log(self, record: dict[str, Any]) -> None:
        """Append one line to the log."""
        try:
            with self._log.open("a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {self._log}: {error.strerror}") from error

    def save(self, tree: dict[str, Any]) -> None:
        """Write the checkpoint, remembering how long the log was."""
        size = self._log.stat().st_size if self._log.exists() else 0
        save_checkpoint(self._checkpoint, {**tree, "log_size": size})

    def restore(self) -> dict[str, Any] | None:
        """Read the checkpoint, if there is one, and forget the lines logged since: they will be logged again."""
        if not self._checkpoint.exists():
            self._log.unlink(missing_ok=True)
            return None
        tree: dict[str, Any] = load_checkpoint(self._checkpoint)
        if self._log.exists():
            with self._log.open("r+b") as file:
                file.truncate(tree["log_size"])
        return tree


def _refuse_other(directory: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    for part in sorted(old.keys() | new.keys()):
        if old.get(part) != new.get(part):
            before, after = old.get(part), new.get(part)
            if isinstance(before, dict) and isinstance(after, dict):
                name = next(k for k in sorted(before.keys() | after.keys()) if before.get(k) != after.get(k))
                part, before, after = f"{part}.{name}", before.get(name), after.get(name)
            raise ConfigError(
                f"{directory} holds a run with {part} = {_short(before)}, not {_short(after)}: "
                "give its settings to resume it, or another directory"
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
