"""Runs the rows of a table one by one, keeps what each reached on disk, and writes the table from there."""

import hashlib
import json
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ride.atomic import write_bytes
from ride.data import Picture, hold_out, open_pictures
from ride.errors import ConfigError
from ride.evaluation import Rate, evaluate, gain
from ride.experiments.tables import TABLES, Row, Table
from ride.models.files import RUN_MODEL, load, save
from ride.models.ride import RIDE
from ride.progress import Bars
from ride.training import FitConfig, fit


class Reproduction:
    """A table in the making: results lie in `out`, one folder a fitted model and one JSON file a row.

    Args:
        table: name of the table, a key of `TABLES`.
        data: folder with `train` and `test` in it; None for dead leaves, which are made on the fly.
        out: folder for runs and results; what is there already is not done again.
        seed: of everything.
        length: scales the number of steps of each fit.

    Raises:
        ConfigError: there is no such table, or it needs data that were not named.
        DataError: images cannot be read.
    """

    def __init__(self, table: str, data: str | None, out: Path, *, seed: int, length: float, device: torch.device):
        if table not in TABLES:
            raise ConfigError(f"there is no table {table!r} here: choose from {', '.join(TABLES)}")
        self.table: Table = TABLES[table]
        if self.table.layout == "folder" and data is None:
            raise ConfigError(f"{table} needs --data, a folder with train and test in it")
        self.data, self.out, self.seed, self.length, self.device = data, out, seed, length, device

    def run(self, keys: Sequence[str], bars: Bars) -> None:
        """Fit and score the rows of these keys, all of the table if there are none."""
        unknown = [key for key in keys if key not in self.table.rows]
        if unknown:
            raise ConfigError(f"there is no row {unknown[0]!r}: choose from {', '.join(self.table.rows)}")
        for key in keys or self.table.rows:
            row = self.table.rows[key]
            identity = self._identity(row)
            if (known := self._result(key)) and known["identity"] == identity:
                continue
            pictures = self._training(row, bars)
            folder, seconds = self._fitted(row.fitted or key, pictures, bars)
            model = load(folder)
            begun = time.monotonic()
            with bars(f"{row.name}: scoring") as progress:
                rate = evaluate(
                    model.to(self.device),
                    self._open("test"),
                    tile=row.tile,
                    ensemble=row.ensemble,
                    seed=self.seed,
                    name=row.name,
                    progress=progress,
                )
            result = {
                "identity": identity,
                "rate": rate.to_json(),
                "deviation": deviation(pictures) if self.table.unit == "deviation" else None,
                "training_seconds": seconds,
                "scoring_seconds": time.monotonic() - begun,
                "versions": {name: version(name) for name in ("ride-density", "torch")},
                "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
            }
            write_bytes(self._file(key), json.dumps(result, indent=1).encode())
            if row.fitted is None:
                self._describe(folder, row, rate, seconds)

    def rates(self) -> dict[str, Rate]:
        """What is on disk: the rate of each row that was run with its present settings."""
        found = {}
        for key, row in self.table.rows.items():
            result = self._result(key)
            if result and result["identity"] == self._identity(row):
                found[key] = Rate.from_json(result["rate"])
        return found

    def markdown(self) -> str:
        """The table, with the paper's figures beside what was measured."""
        rates = self.rates()
        base = rates.get(self.table.baseline)
        scaled = self.table.unit == "deviation"
        heads = ["model", "paper, bit/px", "measured, bit/px", "over the first row, bit/px"]
        heads += ["in the full range, bit/px"] * scaled
        heads += ["nat/px", "code, bit/px", "scored", "pixels", "training"]
        lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        sigma = 1.0
        for key, rate in rates.items():
            row, result = self.table.rows[key], self._result(key)
            assert result is not None
            if scaled:
                sigma = result["deviation"]
            shift = math.log2(sigma)
            over = "-" if base is None or key == self.table.baseline else _gain(rate, base)
            code = "-" if rate.code_length is None else f"{rate.code_length:.3f}"
            cells = [
                row.name,
                "-" if row.paper is None else f"{row.paper:.3f}",
                _error(f"{rate.bits_per_pixel + shift:.3f}", rate.stderr_bits),
                over,
                *[f"{rate.bits_per_pixel:.3f}"] * scaled,
                f"{rate.nats_per_pixel:.3f}",
                code,
                rate.scored,
                f"{rate.pixels:,} of {rate.images} images",
                f"{result['training_seconds'] / 60:.0f} min",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        if scaled and rates:
            lines += [
                "",
                "Paper and measured: pixels in units of their standard deviation over the training images, "
                f"{sigma:.4f} of the full range, which adds {math.log2(sigma):.3f} bit/px to the rate in the full "
                "range. Columns to the right: in the full range.",
            ]
        return "\n".join(lines)

    def _identity(self, row: Row) -> str:
        """A digest of all that decides the figure, the images' content excepted (the fit checks its own)."""
        settings = [asdict(row.model), asdict(self._config(row)), row.tile, row.ensemble, row.starts, self.seed]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    def _config(self, row: Row) -> FitConfig:
        config = replace(row.fit, seed=self.seed)
        return config if self.length == 1 else config.scaled(self.length)

    def _file(self, key: str) -> Path:
        return self.out / f"{key}.json"

    def _result(self, key: str) -> dict[str, Any] | None:
        if not self._file(key).exists():
            return None
        result: dict[str, Any] = json.loads(self._file(key).read_text())
        return result

    def _open(self, part: str) -> Sequence[Picture]:
        if self.table.layout == "deadleaves":
            return open_pictures("deadleaves", seed=self.seed, part="test" if part == "test" else "train")
        return open_pictures(Path(self.data or "") / part)

    def _training(self, row: Row, bars: Bars) -> list[Picture]:
        """All training images, those that are held out included."""
        with bars(f"{row.name}: reading") as progress:
            pictures = []
            source = self._open("train")
            for index, picture in enumerate(source):
                pictures.append(picture)
                if progress:
                    progress(index + 1, len(source), "")
        return pictures

    def _fitted(self, key: str, pictures: Sequence[Picture], bars: Bars) -> tuple[Path, float]:
        """The run directory of the fitted model of a row and the seconds that took; what is done is not done again."""
        row = self.table.rows[key]
        training, validation = hold_out(pictures, self.table.held_out, self.seed)
        best, best_folder, seconds = -math.inf, self.out / key, 0.0
        for start in range(row.starts):
            folder = self.out / (key if row.starts == 1 else f"{key}-start{start}")
            config = self._config(row)
            config = replace(config, seed=config.seed + start)
            torch.manual_seed(config.seed)
            model = RIDE(row.model).to(self.device)
            with bars(f"{row.name}: fitting") as progress:
                card = {"made": "by ride reproduce", "row": row.name}
                result = fit(model, training, validation, config, directory=folder, card=card, progress=progress)
            seconds += result.seconds
            if result.nats_per_pixel > best:
                best, best_folder = result.nats_per_pixel, folder
        return best_folder, seconds

    def _describe(self, folder: Path, row: Row, rate: Rate, seconds: float) -> None:
        """Put the measured rate on the card of the model."""
        path = folder / RUN_MODEL
        card = {
            "made": f"by ride reproduce, {self.table.title}, row {rate.model}",
            "training_images": f"all but {self.table.held_out} held out for validation",
            "test_bits_per_pixel": round(rate.bits_per_pixel, 4),
            "test_stderr_bits": None if rate.stderr_bits is None else round(rate.stderr_bits, 4),
            "scored": f"{rate.pixels:,} pixels of {rate.images} test images, {rate.scored}",
            "seed": self.seed,
            "starts": row.starts,
            "training_minutes": round(seconds / 60, 1),
            "fit": asdict(self._config(row)),
        }
        save(load(path), path, card)


def deviation(pictures: Sequence[Picture]) -> float:
    """Standard deviation of the dequantised pixels of gray images, in units of the full range."""
    count, total, squares, noise = 0, 0.0, 0.0, 0.0
    for picture in pictures:
        x = picture.pixels.astype(np.float64) / (picture.levels or 1)
        count, total, squares = count + x.size, total + x.sum(), squares + np.square(x).sum()
        noise += x.size / 12 / picture.levels**2 if picture.levels else 0.0
    return math.sqrt((squares + noise) / count - (total / count) ** 2)


def _error(figure: str, error: float | None) -> str:
    return figure if error is None else f"{figure} ± {error:.3f}"


def _gain(rate: Rate, base: Rate) -> str:
    bits, error = gain(rate, base)
    return _error(f"{bits:+.3f}", error)
