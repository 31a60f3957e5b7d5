"""Rows of the paper's tables: what is fitted, how, and how it is scored."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ride.errors import ConfigError
from ride.experiments.results import Result
from ride.experiments.sources import Source
from ride.progress import Bars, Progress


@dataclass(frozen=True)
class Setting:
    """Where and how rows are run.

    Args:
        source: the images.
        out: folder of the fitted models and the results; what is there is not done again.
        seed: of everything.
        length: scales the number of steps of each fit.
        device: where to compute.
        bars: shows the progress of each part.
        fits: the same of parts that go on from where they were interrupted.
        known: results that were measured before, by the key of the row, for those that `out` does not have.
    """

    source: Source
    out: Path
    seed: int
    length: float
    device: torch.device
    bars: Bars
    known: Mapping[str, Result] = field(default_factory=dict)
    fits: Bars | None = None

    def fitting(self, title: str) -> AbstractContextManager[Progress | None]:
        """The bar of a part that goes on from where it was interrupted."""
        return (self.fits or self.bars)(title)


@dataclass(frozen=True)
class Row(ABC):
    """One figure of a table.

    Args:
        name: what the paper calls the model.
        key: what it is called on the command line and on disk; among the rows of a source no other has it.
        fitted: the row whose fitted model this row scores in another way; its own if None.
    """

    name: str
    key: str
    fitted: "Row | None" = None

    @abstractmethod
    def settings(self, setting: Setting) -> Any:
        """All that decides the figure, the images' content excepted (a fit checks its own)."""

    @abstractmethod
    def run(self, setting: Setting) -> Result:
        """Fit and score.

        Raises:
            RideError: that did not work.
        """

    def lacks(self, setting: Setting) -> str | None:
        """What the data do not have that this row is about; None where all is there."""
        return None

    def identity(self, setting: Setting) -> str:
        """A digest of the settings."""
        text = json.dumps(self.settings(setting), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def result(self, setting: Setting) -> Result | None:
        """What was measured with the present settings; None if nothing was.

        Raises:
            ConfigError: it was on other images.
        """
        for found in (Result.read(self.file(setting)), setting.known.get(self.key)):
            if found and found.identity == self.identity(setting):
                if found.data and found.data != setting.source.digest:
                    data = setting.source.data
                    others = f"other images than those of {data}" if data else "images that were made otherwise"
                    raise ConfigError(
                        f"{self.key} was measured on {others}: give --out, and --report if it was given, "
                        "another folder"
                    )
                return found
        return None

    def file(self, setting: Setting) -> Path:
        """Where the result lies."""
        return setting.out / f"{self.key}.json"
