"""The figure of the benchmarks: every job over its floor, and likelihood against time."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

Results = list[dict[str, Any]]


def bars(found: dict[str, Results]) -> dict[str, float]:
    """Name and ratio of every job, with one thread."""
    ratios = {}
    for r in found["slstm"]:
        if r["threads"] == 1:
            ratios[f"spatial LSTM {r['hidden']} x {r['layers']}"] = r["over_floor"]
    for r in found["mcgsm"]:
        if r["threads"] == 1 and "components" in r:
            ratios[f"MCGSM {r['components']} comp., {r['inputs']} inputs"] = r["over_floor"]
    for r in found["step"]:
        if r["threads"] == 1:
            ratios[f"training step {r['hidden']} x {r['layers']}"] = r["over_floor"]
    for r in found["frontier"]:
        if r["threads"] == 1:
            ratios[f"drawing, {r['batch']} at once"] = r["over_floor"]
    for r in found["scoring"]:
        if r["threads"] == 1:
            ratios[f"scoring {r['size']} x {r['size']}"] = r["over_floor"]
    return ratios


def draw(found: dict[str, Results], path: Path) -> None:
    """Draw it."""
    figure = Figure((11, 4.6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    ratios = bars(found)
    places = range(len(ratios))
    left.barh(places, ratios.values(), color="#4c72b0")
    left.set_yticks(places, ratios.keys(), fontsize=8)
    left.invert_yaxis()
    left.axvline(1.0, color="black", linewidth=1)
    for place, ratio in zip(places, ratios.values(), strict=True):
        left.text(ratio + 0.03, place, f"{ratio:.2f}", va="center", fontsize=8)
    left.set_xlim(0, 1.12 * max(ratios.values()))
    left.set_xlabel("time over that of its matrix products and exponentials, one thread")
    for way in found["curve"]:
        seconds, rates = zip(*way["points"], strict=True)
        right.plot(seconds, rates, label=way["way"])
    right.set_xlabel("seconds, one thread")
    right.set_ylabel("log-likelihood, nat/px")
    right.set_title("An MCGSM fitted to dead leaves from one start", fontsize=10)
    best = max(rate for way in found["curve"] for _, rate in way["points"])
    right.set_ylim(best - 0.6, best + 0.05)
    right.legend(fontsize=8)
    figure.savefig(path)
