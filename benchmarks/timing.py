"""Ratios of times measured in one process: the contestants take turns, so that a change of pace meets them all."""

import statistics
import time
from collections.abc import Callable


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
