"""What two processes do together while tests of a process alone wait; see `test_ranks`."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import ADAM, SGD, growing, model_for, model_of, pictures
from torch import distributed as dist

from ride import ranks
from ride.cli.together import leave
from ride.data import Picture
from ride.errors import BusyError, DataError, RideError
from ride.evaluation import evaluate
from ride.models.ride import RIDE
from ride.training import FitConfig, curriculum, fit
from ride.training.run import Run

TRAINING, HELD_OUT = pictures(), pictures(5, seed=9)
CASES = {
    "adam": (ADAM, 1, HELD_OUT),
    "mcgsm": (ADAM, 0, HELD_OUT),
    "sgd": (SGD, 1, HELD_OUT),
    "revived": (replace(ADAM, revive=2), 0, HELD_OUT),
    "growing": (growing(SGD), 1, ()),
    # One of the two has no patch, and none of the held-out pixels.
    "single": (replace(ADAM, batch=1, head_valid_pixels=1, revive=1), 1, HELD_OUT[:1]),
}
MOMENTS = {"adam": [3, 9, 11], "growing": [2, 7]}
"""Checkpoints of which others go on."""


def fitted(case: str, directory: Path, seed: int = 1) -> RIDE:
    """A model in double precision, fitted or gone on with."""
    config, layers, held_out = CASES[case]
    model = model_for(config, layers).double()
    if seed != 1:
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter)
    fit(model, TRAINING, held_out, config, directory=directory)
    return model


def with_moments(case: str, directory: Path) -> None:
    """Fit, and copy the directory of the run to `directory`-K at its checkpoint K."""
    count, save = 0, Run.save

    def copying(run: Run, tree: dict[str, Any]) -> None:
        nonlocal count
        save(run, tree)
        shutil.copytree(run.directory, f"{directory}-{count}")
        count += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "save", copying)
        patch.setattr(curriculum, "CHECKPOINT_SECONDS", 0.0)
        fitted(case, directory)


def rates(model: RIDE, data: list[Picture]) -> list[dict[str, Any]]:
    """Rates of whole images, of tiles, of an ensemble, and of a single picture."""
    kinds: list[dict[str, Any]] = [{}, {"tile": 6}, {"tile": 6, "ensemble": True}]
    found = [evaluate(model, data, **kind) for kind in kinds]
    return [rate.to_json() for rate in [*found, evaluate(model, data[:1])]]


def digest(model: RIDE) -> str:
    """Of all parameters, to the last bit."""
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest()


def refused(work: Callable[[], Any]) -> list[str]:
    """The type and the message of an error."""
    try:
        work()
    except RideError as error:
        return [type(error).__name__, str(error)]
    return ["", ""]


def talk() -> dict[str, Any]:
    """What ranks hear of each other."""
    rank = ranks.rank()
    sums = [torch.full((2, 3), 1.0 + rank), torch.tensor(10.0 * rank)]
    ranks.add_up(sums)

    def fail() -> bytes:
        raise DataError("the disk of rank 0 is gone")

    def be_busy() -> bytes:
        raise BusyError("another is at work")

    return {
        "rank": [rank, ranks.count(), ranks.main()],
        "share": [list(ranks.share(range(size))) for size in (5, 1, 0)],
        "dealt": [list(ranks.dealt(range(size))) for size in (5, 1, 0)],
        "sums": [tensor.tolist() for tensor in sums],
        "total": ranks.total(0.1 + rank, 2**40),
        "gather": ranks.gather({"of": "ü" * 100 * rank, "n": [rank, None]}),
        "from_main": [ranks.from_main(lambda: bytes([rank, 7])).hex(), ranks.from_main(lambda: b"").hex()],
        "failed": refused(lambda: ranks.from_main(fail)),
        "busy": refused(lambda: ranks.from_main(be_busy)),
    }


def work(folder: Path) -> dict[str, Any]:
    """All of it; what lies in `folder`/alone was left by a process alone."""
    rank = ranks.rank()
    together = folder / "together"
    digests = {}
    for case in CASES:
        # Of two models that differ that of rank 0 counts.
        digests[case] = digest(fitted(case, together / case, seed=1 + rank))
    for case, moments in MOMENTS.items():
        with_moments(case, together / f"{case}-at")
        for moment in moments:
            digests[f"{case}-{moment}"] = digest(fitted(case, folder / "alone" / f"{case}-at-{moment}"))
    interrupted, again = together / "growing-at-7", together / "again"
    if ranks.main():
        shutil.copytree(interrupted, again)
    digests["again"] = digest(fitted("growing", again))
    model = model_of().double()
    return {
        "talk": talk(),
        "digests": digests,
        "rates": rates(model, HELD_OUT),
        "small": refused(lambda: fit(model, pictures(1, (9, 7)), config=ADAM)),
        "images": refused(lambda: fit(model, TRAINING[rank:], config=ADAM)),
        "settings": refused(lambda: fit(model, TRAINING, config=replace(ADAM, seed=rank))),
        "directory": refused(lambda: fit(model, TRAINING, config=SGD, directory=together / "adam")),
        "told": len(told(model)),
    }


def told(model: RIDE) -> list[str]:
    """What is told of the progress of a fit."""
    words: list[str] = []
    config: FitConfig = replace(ADAM, stages=ADAM.stages[:1])
    fit(model, TRAINING, config=config, progress=lambda done, total, message="": words.append(message))
    return words


def main() -> None:
    """Do it and write what came of it."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = work(folder)
    (folder / f"rank{ranks.rank()}.json").write_text(json.dumps(found))
    dist.destroy_process_group()
    # What PyTorch does after that aborts now and then, where the other process has gone first.
    leave(0)


if __name__ == "__main__":
    main()
