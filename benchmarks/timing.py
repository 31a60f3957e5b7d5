"""Ratios of times measured in one process: the contestants take turns, so that a change of pace meets them all."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def medians(
    contestants: dict[str, Callable[[], object]], rounds: int, wait: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Median seconds of each contestant over `rounds` rounds in turn, after one round to warm up.

    `wait` returns when a contestant that runs beside Python is done.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            wait()
            start = time.perf_counter()
            run()
            wait()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def options(doc: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads to measure with")
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds of which medians are taken")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser


def record(found: Iterable[dict[str, Any]], path: Path | None) -> None:
    """Print each result as it comes, one line, and write all of them in the end."""
    results = []
    for result in found:
        results.append(result)
        figures = (
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in result.items()
        )
        print(", ".join(figures), flush=True)
    if path:
        path.write_text(json.dumps(results, indent=1) + "\n")
