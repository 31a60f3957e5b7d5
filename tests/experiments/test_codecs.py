"""The table of codecs in small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.experiments.conftest import setting

from ride.baselines.codecs import Codec
from ride.errors import CodecError
from ride.experiments import codecs
from ride.experiments.codecs import TABLE
from ride.experiments.report import write_report
from ride.experiments.reproduce import results, run_rows


def test_all_codecs_are_measured_and_reported(data: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    place = setting(data, tmp_path / "out")
    assert run_rows(TABLE, (), place)
    found = results(TABLE, place)
    assert set(found) == set(TABLE.rows)
    for result in found.values():
        assert result.count == 2 * 16 * 18
        # Noise cannot be compressed.
        assert 8 < result.value < 20
        assert result.notes["seconds to encode"] > 0
    (tmp_path / "report").mkdir()
    write_report(TABLE, "codecs", place, tmp_path / "report")
    text = (tmp_path / "report" / "codecs.md").read_text()
    assert "| ride compress |" in text
    assert "## Seconds" in text


def test_an_image_that_does_not_come_back_ends_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        codecs, "codec", lambda kind: Codec(lambda pixels: b"lost", lambda data: np.zeros((2, 2), np.uint8))
    )
    row = TABLE.rows["codec-png"]
    with pytest.raises(CodecError, match=r"PNG, optimised does not give .*0\.png back"):
        row.run(setting(data, tmp_path))


def test_another_model_is_another_row(data: Path, tmp_path: Path):
    row = TABLE.rows["codec-ride"]
    place = setting(data, tmp_path)
    assert row.identity(place) == row.identity(replace(place, length=0.5))
    assert row.identity(place) != TABLE.rows["codec-png"].identity(place)
