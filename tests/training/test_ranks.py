"""Two processes do what one does, up to rounding, from the first step and from any checkpoint of the other."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.pairs import ended, start
from tests.training.conftest import log_of, model_of
from tests.training.pair import CASES, HELD_OUT, MOMENTS, digest, fitted, rates, with_moments

from ride.models.files import load
from ride.training.checkpoints import load_checkpoint
from ride.training.run import CHECKPOINT

ALL_MOMENTS = [(case, moment) for case, moments in MOMENTS.items() for moment in moments]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a process alone and then two have worked; most of the time goes into starting them."""
    folder = tmp_path_factory.mktemp("runs")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for case in CASES:
        fitted(case, folder / "alone" / case)
    for case in MOMENTS:
        with_moments(case, folder / "alone" / f"{case}-at")
    torch.set_num_threads(threads)
    statuses, _, said = ended(start(["-W", "error", "-m", "tests.training.pair", str(folder)]))
    assert (statuses, said) == ([0, 0], "")
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    """What both have found."""
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(2)]


def assert_close(one: Path, other: Path) -> None:
    """Two runs that tell the same story and end with the same model, up to the rounding of double precision."""
    stories = [[record | {"nats_per_pixel": 0, "bits_per_pixel": 0} for record in log_of(run)] for run in (one, other)]
    assert stories[0] == stories[1]
    values = [[record["nats_per_pixel"] or 0.0 for record in log_of(run)] for run in (one, other)]
    assert values[0] == pytest.approx(values[1], rel=1e-8, abs=1e-8)
    models = [load(run).state_dict() for run in (one, other)]
    for name, value in models[0].items():
        torch.testing.assert_close(value, models[1][name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_fit_what_one_fits(case: str, folder: Path, found: list[dict[str, Any]]):
    assert_close(folder / "together" / case, folder / "alone" / case)
    revived = any(line["phase"] == "revived" for line in log_of(folder / "together" / case))
    assert revived == bool(CASES[case][0].revive)
    # And both of them, bit for bit.
    assert found[0]["digests"][case] == found[1]["digests"][case] == digest(load(folder / "together" / case))


@pytest.mark.parametrize(("case", "moment"), ALL_MOMENTS)
def test_two_go_on_from_a_checkpoint_of_one(case: str, moment: int, folder: Path, found: list[dict[str, Any]]):
    assert_close(folder / "alone" / f"{case}-at-{moment}", folder / "alone" / case)
    assert found[0]["digests"][f"{case}-{moment}"] == found[1]["digests"][f"{case}-{moment}"]


@pytest.mark.parametrize(("case", "moment"), ALL_MOMENTS)
def test_one_goes_on_from_a_checkpoint_of_two(case: str, moment: int, folder: Path):
    directory = folder / "together" / f"{case}-at-{moment}"
    assert load_checkpoint(directory / CHECKPOINT)["position"]["stage"] < len(CASES[case][0].stages)
    fitted(case, directory)
    assert_close(directory, folder / "alone" / case)


def test_two_that_were_interrupted_end_the_same_bit_for_bit(folder: Path, found: list[dict[str, Any]]):
    assert found[0]["digests"]["again"] == found[0]["digests"]["growing"]
    assert log_of(folder / "together" / "again") == log_of(folder / "together" / "growing")


def test_two_score_as_one_bit_for_bit(found: list[dict[str, Any]]):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = json.loads(json.dumps(rates(model_of().double(), HELD_OUT)))
    torch.set_num_threads(threads)
    assert found[0]["rates"] == found[1]["rates"] == expected


def test_ranks_divide_and_tell(found: list[dict[str, Any]]):
    first, second = (each["talk"] for each in found)
    assert (first.pop("rank"), second.pop("rank")) == ([0, 2, True], [1, 2, False])
    assert (first.pop("share"), second.pop("share")) == ([[0, 1], [], []], [[2, 3, 4], [0], []])
    assert (first.pop("dealt"), second.pop("dealt")) == ([[0, 2, 4], [0], []], [[1, 3], [], []])
    assert first == second
    assert first["sums"] == [[[3.0] * 3] * 2, 10.0]
    assert first["total"] == [0.1 + 1.1, 2**41]
    assert first["gather"] == [{"of": "", "n": [0, None]}, {"of": "ü" * 100, "n": [1, None]}]
    assert first["from_main"] == ["0007", ""]
    assert first["failed"] == ["DataError", "the disk of rank 0 is gone"]
    assert first["busy"] == ["BusyError", "another is at work"]


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("small", "DataError", "smaller than the patches"),
        ("images", "ConfigError", "process 1 was given another data than process 0"),
        ("settings", "ConfigError", "process 1 was given another fit than process 0"),
        ("directory", "ConfigError", "holds a run with"),
    ],
)
def test_what_cannot_be_is_refused_by_both(what: str, kind: str, message: str, found: list[dict[str, Any]]):
    assert found[0][what] == found[1][what]
    assert found[0][what][0] == kind
    assert message in found[0][what][1]


def test_only_rank_0_tells_of_the_progress(found: list[dict[str, Any]]):
    assert found[0]["told"] > 4
    assert found[1]["told"] == 0
