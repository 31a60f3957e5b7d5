"""The table of codecs in small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.codec.small import smooth_image
from tests.experiments.conftest import setting

from ride.baselines.codecs import Codec
from ride.errors import CodecError
from ride.experiments import codec_rows
from ride.experiments.codec_memory import peaks
from ride.experiments.codec_rows import STEPS
from ride.experiments.codecs import TABLE
from ride.experiments.report import write_report
from ride.experiments.reproduce import results, run_rows


def test_all_codecs_are_measured_and_reported(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    named = {"scikit-image": ("microaneurysms.png", "text.png"), "scikit-image in colour": ("color.png",)}
    monkeypatch.setattr(codec_rows, "NAMED", named)
    for path in (data / "test").iterdir():
        with Image.open(path) as image:
            colour = image.convert("RGB")
        colour.save(path)
    monkeypatch.setattr(codec_rows, "peaks", lambda kind, pixels: (3 * 2**20, 2**20))
    (tmp_path / "out").mkdir()
    place = setting(data, tmp_path / "out")
    assert not run_rows(TABLE, (), place)
    found = results(TABLE, place)
    assert set(found) == set(TABLE.rows)
    for key, result in found.items():
        if key.startswith("codec-"):
            assert result.count == 2 * 16 * 18
            # Noise cannot be compressed.
            assert 8 < result.value < 20
            assert result.notes["seconds to encode"] > 0
        elif key.startswith("colour-elsewhere-"):
            assert result.count == 371 * 370
            assert 1 < result.value < 12
        elif key.startswith("colour-"):
            assert result.count == 2 * 16 * 18
            assert 8 < result.value < 40
        elif key.startswith("elsewhere-"):
            assert result.count == 102 * 102 + 172 * 448
            assert 1 < result.value < 8
        elif key.startswith("together-"):
            assert result.unit == "s"
            assert result.value > 0
    (tmp_path / "report").mkdir()
    written = write_report(TABLE, "codecs", place, tmp_path / "report")
    assert tmp_path / "report" / "codecs.png" in written
    text = (tmp_path / "report" / "codecs.md").read_text()
    assert "| ride compress |" in text
    assert "## Seconds and memory" in text
    assert " | 3 | 2 | " in text
    assert "| 16 | 3 | 2 |" in text
    assert "| text.png | 77,056 | " in text


def test_the_length_and_the_file_are_of_the_same_pixels(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On a smooth image the model is used, and nothing but the ends of the stream and the headers is added."""
    for path in (data / "test").iterdir():
        Image.fromarray(smooth_image(16, 18, seed=len(path.stem))).save(path)
    result = TABLE.rows["length-ride"].run(setting(data, tmp_path))
    integers, streams, files = (result.notes[text] for text in STEPS.values())
    assert abs(integers - result.value) < 0.02
    assert integers < streams < integers + 8 * 16 / (16 * 18)
    # 49 bytes of headers for the one tile of each image.
    assert files - streams == pytest.approx(8 * 49 / (16 * 18))


def test_memory_is_that_of_a_process_of_its_own():
    taken = np.ones(2**27, np.uint8)  # 128 MiB of this process
    after, before = peaks("png", smooth_image(300, 300))
    assert taken[0]
    assert 2**20 < before <= after < 2**27
    with pytest.raises(CodecError, match="memory of none could not be measured"):
        peaks("none", smooth_image(3, 3))


def test_an_image_that_does_not_come_back_ends_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wrong = Codec(lambda pixels: b"lost", lambda data, channels: np.zeros((2, 2), np.uint8))
    monkeypatch.setattr(codec_rows, "way", lambda kind, turns: wrong)
    row = TABLE.rows["codec-png"]
    with pytest.raises(CodecError, match=r"PNG, optimised does not give .*0\.png back"):
        row.run(setting(data, tmp_path))


def test_another_model_or_group_is_another_row(data: Path, tmp_path: Path):
    row = TABLE.rows["codec-ride"]
    place = setting(data, tmp_path)
    assert row.identity(place) == row.identity(replace(place, length=0.5))
    identities = [row.identity(place) for row in TABLE.rows.values()]
    assert len(set(identities)) == len(identities)


def test_rows_without_their_images_are_left_out(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = setting(data, tmp_path)
    assert TABLE.rows["elsewhere-png"].lacks(place) is None
    monkeypatch.setattr(codec_rows, "packaged_file", lambda name: None)
    assert "astronaut.png" in str(TABLE.rows["elsewhere-png"].lacks(place))
    assert TABLE.rows["codec-png"].lacks(place) is None
