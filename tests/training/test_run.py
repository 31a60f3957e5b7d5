"""The directory of a run: whose it is, and a log that tells its story once."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.at_work import at_work_in

from ride.errors import BusyError, ConfigError, ModelError, OutputError
from ride.training.run import Run

SETTINGS: dict[str, Any] = {
    "model": {"layers": 1, "hidden": 3},
    "fit": {"stages": [{"patch": 8}]},
    "data": {"train": "x"},
}


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]


def test_a_run_is_made_with_its_folders_and_found_again(tmp_path: Path):
    directory = tmp_path / "runs" / "a"
    assert Run(directory, SETTINGS).restore() is None
    assert json.loads((directory / "run.json").read_text()) == SETTINGS
    assert Run(directory, SETTINGS).restore() is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({**SETTINGS, "model": {"layers": 2, "hidden": 3}}, r"model\.layers = 1, not 2"),
        ({**SETTINGS, "data": {"train": "y"}}, r'data\.train = "x", not "y"'),
        ({**SETTINGS, "fit": {"stages": [{"patch": 8}], "seed": 1}}, r"fit\.seed = null, not 1"),
        ({**SETTINGS, "fit": {"stages": [{"patch": k} for k in range(99)]}}, r"fit\.stages = .*\.\.\.: give"),
        ({"model": SETTINGS["model"], "fit": SETTINGS["fit"]}, "data"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, other: dict[str, Any], message: str):
    Run(tmp_path, SETTINGS)
    with pytest.raises(ConfigError, match=message):
        Run(tmp_path, other)
    assert json.loads((tmp_path / "run.json").read_text()) == SETTINGS


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'"text"', b"\xff\xfe"])
def test_damaged_settings_are_refused_by_name(tmp_path: Path, damaged: bytes):
    (tmp_path / "run.json").write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"run\.json is damaged"):
        Run(tmp_path, SETTINGS)


@pytest.mark.parametrize("name", ["model.safetensors", "log.jsonl", "checkpoint.safetensors"])
def test_files_of_nobody_knows_which_run_are_left_alone(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(ConfigError, match=f"has {name} but no run.json"):
        Run(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"precious"


def test_a_directory_that_another_process_is_at_work_in_is_not_claimed(tmp_path: Path):
    with at_work_in(tmp_path), pytest.raises(BusyError):
        Run(tmp_path, SETTINGS)
    assert not list(tmp_path.iterdir())


def test_lines_after_the_checkpoint_are_forgotten(tmp_path: Path):
    run = Run(tmp_path, SETTINGS)
    run.log({"step": 1})
    run.save({"a": 1})
    run.log({"step": 2})
    again = Run(tmp_path, SETTINGS)
    assert again.restore() == {"a": 1, "log_size": len('{"step": 1}\n')}
    again.log({"step": 2.5})
    assert lines(tmp_path) == [{"step": 1}, {"step": 2.5}]


def test_without_a_checkpoint_the_log_begins_anew(tmp_path: Path):
    run = Run(tmp_path, SETTINGS)
    run.log({"step": 1})
    assert Run(tmp_path, SETTINGS).restore() is None
    assert lines(tmp_path) == []


@pytest.mark.parametrize("rest", [b"", b'{"step": 1}\n', b'{"step": 1}\n{"st'])
def test_a_log_that_lost_its_end_stays_readable(tmp_path: Path, rest: bytes):
    run = Run(tmp_path, SETTINGS)
    for step in (1, 2):
        run.log({"step": step})
    run.save({})
    (tmp_path / "log.jsonl").write_bytes(rest)
    run.restore()
    run.log({"step": 3})
    assert lines(tmp_path) == [{"step": 1}, {"step": 3}][-1 - bool(rest) :]


def test_numbers_that_are_none_are_never_logged(tmp_path: Path):
    run = Run(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match="JSON"):
        run.log({"nats_per_pixel": float("nan")})
    assert not (tmp_path / "log.jsonl").exists()


def test_a_damaged_checkpoint_is_named_and_the_log_stays(tmp_path: Path):
    run = Run(tmp_path, SETTINGS)
    run.log({"step": 1})
    run.checkpoint_path.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"checkpoint\.safetensors"):
        Run(tmp_path, SETTINGS).restore()
    assert lines(tmp_path) == [{"step": 1}]


def test_a_file_is_no_directory(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    for directory in (file, file / "below"):
        with pytest.raises(OutputError, match="file"):
            Run(directory, SETTINGS)


@pytest.mark.parametrize("name", ["run.json", "log.jsonl"])
def test_a_directory_in_the_place_of_a_file_is_named(tmp_path: Path, name: str):
    if name != "run.json":
        Run(tmp_path, SETTINGS)
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match=tmp_path.name):
        Run(tmp_path, SETTINGS).restore()


def test_a_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path, *args: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    run = Run(tmp_path / "good", SETTINGS)
    for method in ("mkdir", "touch", "open"):
        monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        Run(tmp_path / "bad", SETTINGS)
    with pytest.raises(OutputError, match=r"checkpoint.*Permission denied"):
        run.save({})
    with pytest.raises(OutputError, match=r"log\.jsonl.*Permission denied"):
        run.log({})
