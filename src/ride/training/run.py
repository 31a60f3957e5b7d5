"""The directory of a training run: its settings, its log in JSON lines, its checkpoint and its best model."""

import json
from pathlib import Path
from typing import Any

from ride.atomic import write_bytes
from ride.errors import ConfigError, OutputError
from ride.locks import lock
from ride.models.files import RUN_MODEL
from ride.settings import claim, make_directory
from ride.training.checkpoints import load_checkpoint, save_checkpoint

CHECKPOINT = "checkpoint.safetensors"
"""Where a run goes on from."""
SETTINGS = "run.json"
"""What it is."""
LOG = "log.jsonl"
"""What it tells."""


class Run:
    """Files of one run: `run.json`, `log.jsonl`, `checkpoint.safetensors` and `model.safetensors`.

    The log tells the story of the parameters in the checkpoint once: lines written after the checkpoint that a run
    goes on from are forgotten, since their steps are made again. A line is an object with

    - `stage` from 0 and `phase`: `steps` (gradient steps), `head` (L-BFGS), and at the end of the stage `valid` (the
      held-out images) or, where there are none, `train` (patches of the training images);
    - or `revived`: after `step` so many idle `components` of the MCGSM were put to work, see `revival`;
    - or `back`: the run had gone astray at the step `from` and went back to `step`, see `Guard`;
    - `step` of `steps` within `steps` and `head`; in `steps` also the `learning_rate`;
    - `nats_per_pixel` and `bits_per_pixel`: in `steps` the mean since the line before, in `head` the pixels that
      L-BFGS works on;
    - `seconds` of work that lead there, interruptions left out.

    Raises:
        ConfigError: the directory holds a run with other settings or other data, or what cannot be read as one, or
            files that a run would replace, or another process is at work on it.
        OutputError: the directory cannot be made or written.
    """

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self.directory = directory
        # One of two that begin at once: else each might find its own settings beside work of the other.
        make_directory(directory, "a run")
        self._lock = lock(directory)
        self._refuse_foreign()
        claim(directory / SETTINGS, settings, "a run")

    @property
    def _log(self) -> Path:
        return self.directory / LOG

    @property
    def checkpoint_path(self) -> Path:
        """Where the run goes on from."""
        return self.directory / CHECKPOINT

    @property
    def model_path(self) -> Path:
        """Where the best model so far is kept."""
        return self.directory / RUN_MODEL

    def _refuse_foreign(self) -> None:
        """Raise ConfigError where there are files that a run would replace, of which nobody knows what they are."""
        try:
            if (self.directory / SETTINGS).exists():
                return
            foreign = [name for name in (CHECKPOINT, LOG, RUN_MODEL) if (self.directory / name).exists()]
        except OSError as error:
            raise OutputError(f"cannot use the directory {self.directory} for a run: {error.strerror}") from error
        if foreign:
            raise ConfigError(
                f"{self.directory} has {foreign[0]} but no {SETTINGS}, so it is not known of which run that is: give "
                "another directory, or move the file away"
            )

    def log(self, record: dict[str, Any]) -> None:
        """Append one line to the log.

        Raises:
            OutputError: it cannot be written.
        """
        line = json.dumps(record, allow_nan=False) + "\n"
        try:
            with self._log.open("a") as file:
                file.write(line)
        except OSError as error:
            raise OutputError(f"cannot write {self._log}: {error.strerror}") from error

    def save(self, tree: dict[str, Any]) -> None:
        """Write the checkpoint, remembering how long the log was.

        Raises:
            OutputError: it cannot be written; the one before stays as it was.
        """
        size = self._log.stat().st_size if self._log.exists() else 0
        save_checkpoint(self.checkpoint_path, {**tree, "log_size": size})

    def restore(self) -> dict[str, Any] | None:
        """Read the checkpoint, if there is one, and forget the lines logged since: they will be logged again.

        Raises:
            ModelError: the checkpoint is damaged.
            OutputError: the log cannot be written.
        """
        tree: dict[str, Any] | None = load_checkpoint(self.checkpoint_path) if self.checkpoint_path.exists() else None
        try:
            if self._log.exists():
                told = self._log.read_bytes()[: tree["log_size"] if tree else 0]
                # After a power cut the log may be shorter than it was.
                write_bytes(self._log, told[: told.rfind(b"\n") + 1])
        except OSError as error:
            raise OutputError(f"cannot write {self._log}: {error.strerror}") from error
        return tree
