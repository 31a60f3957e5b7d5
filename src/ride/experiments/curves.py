"""Learning curves, as the logs of fits tell them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POINTS = 200
"""Of a curve, at most."""

Point = tuple[float, float]
"""Minutes of work, and nats per pixel or patch in the full range."""


@dataclass(frozen=True)
class Curve:
    """Rates of training batches, and of what is held out."""

    training: tuple[Point, ...] = ()
    held_out: tuple[Point, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Sequence[Sequence[float]]]) -> "Curve":
        """From what JSON can hold."""
        return cls(*(tuple((x, y) for x, y in values[name]) for name in ("training", "held_out")))

    @classmethod
    def read(cls, run: Path) -> "Curve":
        """The curve of a run directory; without points where there is no log, or one that tells of no steps."""
        lines = _lines(run / "log.jsonl") or _lines(run / "steps" / "log.jsonl")
        points: dict[str, list[Point]] = {"steps": [], "valid": []}
        for line in lines:
            nats = line.get("nats_per_pixel", line.get("nats"))
            if line.get("phase") in points and nats is not None:
                points[line["phase"]].append((round(line["seconds"] / 60, 2), round(nats, 4)))
        return cls(_thinned(points["steps"]), _thinned(points["valid"]))


def logged_seconds(run: Path) -> float:
    """Seconds of work on a fit that the logs in its directory and below tell of; 0 where there are none."""
    logs = (_lines(path) for path in run.rglob("log.jsonl"))
    return float(sum(lines[-1].get("seconds", 0.0) for lines in logs if lines))


def _lines(path: Path) -> list[dict[str, Any]]:
    """A log; nothing where there is none, or what is none."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def _thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """No more than so many, the last one among them."""
    every = -(-len(points) // POINTS)
    return tuple(points[::-1][:: every or 1][::-1])
