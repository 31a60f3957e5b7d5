"""What a row of a table reached, as it lies on disk."""

import json
import platform
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ride.atomic import write_bytes
from ride.errors import ConfigError
from ride.evaluation.means import mean_and_error
from ride.experiments.curves import Curve
from ride.wording import counted


@dataclass(frozen=True)
class ImageScore:
    """What one test image contributed: the mean over its pixels or patches, and how many these are."""

    name: str
    value: float
    weight: int


@dataclass(frozen=True)
class Result:
    """The figure of a row and all that stands behind it.

    Args:
        identity: a digest of the settings that decide the figure.
        unit: of `value`: bit/px, or nat (per patch).
        value: mean log-likelihood in the unit of the table.
        stderr: its standard error over images; None for a single image.
        shift: what was added to a rate in units of the full range to arrive at the unit of the table.
        images: what the single test images contributed.
        scored: what was scored, in words.
        of: what was counted: pixels or patches.
        notes: further figures with their names, such as what the model's own estimate of its error is.
        seed: of everything that is drawn.
        device: where it was computed.
        run: directory of the fitted model, relative to the results.
        training_seconds: of the fit, all starts together.
        scoring_seconds: of the scoring.
        memory_gib: largest memory of the process until then.
        versions: of what decides the figure.
        machine: processor and threads.
        curve: what the log of the fit tells.
        data: `Source.digest` of the images; nothing where it was not kept.
    """

    identity: str
    unit: str
    value: float
    stderr: float | None
    shift: float
    images: tuple[ImageScore, ...]
    scored: str
    of: str
    notes: dict[str, float]
    seed: int
    device: str
    run: str
    training_seconds: float
    scoring_seconds: float
    memory_gib: float
    versions: dict[str, str]
    machine: str
    curve: Curve
    data: str = ""

    @property
    def count(self) -> int:
        """How many pixels or patches were scored."""
        return sum(image.weight for image in self.images)

    def write(self, path: Path) -> None:
        """Keep the result, whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        write_bytes(path, json.dumps(self._values()).encode())

    def _values(self) -> dict[str, Any]:
        """Everything, with an image in a line: name, value, weight."""
        images = [[image.name, image.value, image.weight] for image in self.images]
        return {**asdict(self), "images": images}

    @classmethod
    def read(cls, path: Path) -> "Result | None":
        """What `write` has kept; None where there is nothing, or something of another version."""
        try:
            return cls._of(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def _of(cls, values: dict[str, Any]) -> "Result":
        images = tuple(ImageScore(*image) for image in values["images"])
        return cls(**{**values, "images": images, "curve": Curve.of(values["curve"])})


def comparable(one: Result, other: Result) -> bool:
    """Whether two rows are about the same images, and the same patches of them; pixels may differ at the borders."""
    if one.unit != other.unit or [i.name for i in one.images] != [i.name for i in other.images]:
        return False
    return one.of == "pixels" or [i.weight for i in one.images] == [i.weight for i in other.images]


def difference(better: Result, baseline: Result) -> tuple[float, float | None]:
    """By how much one row is above another on the same images, and the standard error of that.

    The error is that of the differences image by image, much smaller than the errors of the two figures.

    Raises:
        ConfigError: the rows are about different images or in different units.
    """
    if not comparable(better, baseline):
        raise ConfigError("a difference is between rows of the same images or patches and the same unit")
    pairs = zip(better.images, baseline.images, strict=True)
    return mean_and_error([a.value - b.value for a, b in pairs], [image.weight for image in better.images])


def write_record(path: Path, results: Mapping[str, Result]) -> None:
    """Keep all results of a table in one file.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = [f"{json.dumps(key)}: {json.dumps(result._values())}" for key, result in results.items()]
    write_bytes(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read_record(path: Path) -> dict[str, Result]:
    """What `write_record` has kept, by the key of the row; nothing where there is no such file.

    Raises:
        ConfigError: the file is there and cannot be understood.
    """
    try:
        texts = json.loads(path.read_text(encoding="utf-8"))
        return {key: Result._of(values) for key, values in texts.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is no record of results, or of another version ({error}): move it away") from error


def circumstances() -> dict[str, Any]:
    """Memory, versions and machine of this process, as a result keeps them."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "memory_gib": round(peak * (1 if sys.platform == "darwin" else 1024) / 2**30, 2),
        "versions": {name: version(name) for name in ("ride-density", "torch")},
        "machine": f"{platform.machine()}, {_threads()}",
    }


def _threads() -> str:
    count = torch.get_num_threads()
    return counted(count, "thread")
