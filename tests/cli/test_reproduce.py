"""`ride reproduce`, as a person types it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import complaint, run_apart


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder laid out as BSDS300: more training images than are held out, and two to test on."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 21), ("test", 2)):
        (tmp_path / "data" / part).mkdir(parents=True)
        for k in range(count):
            pixels = draw.integers(0, 256, (20, 24), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / part / f"{k}.png")
    return tmp_path / "data"


def test_a_row_from_raw_images_to_the_report(data: Path, tmp_path: Path):
    document = tmp_path / "doc.md"
    document.write_text("before\n<!-- table1 -->\n<!-- /table1 -->\nafter\n")
    words = ["reproduce", "table1", "--data", data, "--rows", "mcgsm-16", "--length", "0.0001", "--seed", "3"]
    words += ["--out", tmp_path / "out", "--report", tmp_path / "report", "--into", document, "--threads", "1"]
    ran = run_apart(*words, "--json")
    assert (ran.status, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert list(told["rows"]) == ["mcgsm-16"]
    assert all(Path(path).is_file() for path in told["written"])
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    figure = f"{told['rows']['mcgsm-16']['value']:.3f}"
    assert f"| 3.688 | {figure} ± " in text
    assert figure in (tmp_path / "report" / "table1.md").read_text()
    assert "ride reproduce table1 --data BSDS300 --rows mcgsm-16 --length 0.0001" in text
    # Again, nothing is fitted: the results lie on disk.
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = run_apart(*words)
    assert again.status == 0
    assert figure in again.out
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_budget_ends_in_an_orderly_way(data: Path, tmp_path: Path):
    words = ["reproduce", "table1", "--data", data, "--rows", "mcgsm-16", "--out", tmp_path / "out"]
    ran = run_apart(*words, "--budget", "0.001", "--threads", "1")
    assert (ran.status, ran.err) == (0, "")
    assert "the same command goes on from there" in ran.out
    assert "nothing was measured yet" in ran.out
    assert not (tmp_path / "out" / "table1.md").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["table9"], "table9"),
        (["table1"], "--data"),
        (["table1", "--data", "{data}", "--rows", "gmm-7"], "gmm-7"),
        (["table1", "--data", "{data}/train", "--rows", "mcgsm-16"], "train"),
        (["table3", "--budget", "-1"], "--budget"),
        (["table3", "--data", "{data}"], "leave --data out"),
        (["table1", "--data", "{data}", "--report", "{data}/test/0.png"], "0.png is a file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(ride, data: Path, tmp_path: Path, words: list[str], says: str):
    given = [word.format(data=data) for word in words]
    assert says in complaint(ride("reproduce", *given, "--out", tmp_path / "out"))
    # Nothing is left behind but the folder that was asked for.
    assert not list(tmp_path.glob("out/*"))


def test_a_damaged_test_image_is_named_before_any_fit(ride, data: Path, tmp_path: Path):
    (data / "test" / "1.png").write_bytes(b"no image")
    for row in ("mcgsm-16", "patches-mcgsm-16"):
        words = ["reproduce", "table1", "--data", data, "--rows", row, "--out", tmp_path / "out", "--length", "0.0001"]
        assert "1.png" in complaint(ride(*words))
    assert not list((tmp_path / "out").iterdir())


def test_a_document_without_the_lines_is_told_before_any_work(ride, data: Path, tmp_path: Path):
    document = tmp_path / "page.md"
    words = ["reproduce", "table1", "--data", data, "--rows", "mcgsm-16", "--out", tmp_path / "out"]
    for text in ("no lines", "<!-- /table1 -->\n<!-- table1 -->\n"):
        document.write_text(text)
        assert "<!-- table1 -->" in complaint(ride(*words, "--into", document))
    assert not (tmp_path / "out").exists()
    # Without anything measured what the document has stays.
    document.write_text(whole := "<!-- table1 -->\n| 3.9 |\n<!-- /table1 -->\n")
    ran = ride(*words, "--into", document, "--length", "0.001", "--budget", "0.000001", "--json")
    assert (ran.status, document.read_text()) == (0, whole)
    said = json.loads(ran.out)
    assert (said["rows"], said["written"]) == ({}, [])
    assert "stopped after" in said["left"][0]
