"""Log intensities of raw images: noise that fills the gaps between the levels, and nothing clipped."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ride.data import Picture, seeded
from ride.data.files import VAN_HATEREN_SHAPE
from ride.data.vanhateren import (
    BORDER,
    LOG_UNIT,
    RANGE,
    LogIntensities,
    inner,
    log_intensities,
    open_van_hateren,
    split,
)
from ride.errors import ConfigError, DataError
from ride.evaluation import Histogram, evaluate
from ride.experiments.sources import Source

LEVELS = np.array([26, 44, 53, 59, 77, 4619, 6164, 6277], dtype=np.uint16)


def raw(levels: NDArray[np.uint16], *, shape: tuple[int, int] = (20, 30), seed: int = 0) -> Picture:
    """A picture of levels drawn at random, each of which occurs within the border."""
    drawn = np.random.default_rng(seed).choice(levels, shape)
    drawn[BORDER, BORDER : BORDER + len(levels)] = levels
    return Picture("some.iml", drawn, RANGE)


def test_the_report_of_an_experiment_names_what_is_left_out(tmp_path: Path):
    for number in range(6):
        pixels = np.random.default_rng(number).choice(LEVELS, VAN_HATEREN_SHAPE)
        if number == 3:
            pixels[:100] = LEVELS[-1]
        else:
            pixels[pixels == LEVELS[-1]] = LEVELS[0]
            pixels[10, 10] = LEVELS[-1]
        write(tmp_path / f"imk{number}.iml", pixels)
    (remark,) = Source("vanhateren", tmp_path, 0).remarks()
    assert "3 images to train on, of which 1 is held out, and 2 to test. Left out: imk3.iml has " in remark
    assert remark.count(".iml") == 1
    # Of images that are made as many are at hand as are wanted.
    assert not Source("deadleaves", None, 0).remarks()


def write(path: Path, pixels: NDArray[np.generic]) -> None:
    path.write_bytes(pixels.astype(">u2").tobytes())


def intensities(picture: Picture) -> NDArray[np.float64]:
    return np.exp(picture.pixels.astype(np.float64) * math.log(2**16))


def test_rates_become_those_of_the_logarithm():
    # In units of the full range, ln x / ln 65536, a density is ln 65536 times as high as that of ln x.
    assert math.log2(LOG_UNIT) == pytest.approx(-math.log2(16 * math.log(2)))
    assert Source("vanhateren", Path(), 0).shift([]) == math.log2(LOG_UNIT)


def test_noise_fills_the_gap_to_the_next_used_level():
    picture = raw(LEVELS, shape=(200, 300))
    values = intensities(log_intensities(picture, seeded("gaps")))
    assert values.shape == (196, 296)
    # As wide at the highest level as below it.
    ends = [*LEVELS[1:].tolist(), 2 * 6277 - 6164]
    for level, end in zip(LEVELS.tolist(), ends, strict=True):
        u = (values[inner(picture) == level] - level) / (end - level)
        # Single precision of the logarithm.
        assert u.min() > -1e-3
        assert u.max() < 1 + 1e-3
        assert stats.kstest(u, "uniform").pvalue > 1e-3


@given(data=st.data(), seed=st.integers(0, 2**31))
def test_any_levels_stay_in_range_and_in_their_gaps(data: st.DataObject, seed: int):
    levels = np.array(sorted(data.draw(st.sets(st.integers(0, 65535), min_size=2, max_size=20))), dtype=np.uint16)
    picture = raw(levels, seed=seed)
    if list(levels[:2]) == [0, 1]:
        with pytest.raises(DataError, match="levels 0 and 1"):
            log_intensities(picture, seeded(seed))
        return
    made = log_intensities(picture, seeded(seed))
    assert made.levels is None  # and Picture checks that it is in [0, 1]
    values, own = intensities(made), np.searchsorted(levels, inner(picture))
    ends = np.array([*levels[1:], min(2 * int(levels[-1]) - int(levels[-2]), RANGE)], dtype=np.float64)
    # Up to the single precision of the logarithm.
    assert (values > levels[own].clip(1) * (1 - 1e-6)).all()
    assert (values < ends[own] * (1 + 1e-6)).all()


def test_a_zero_lies_between_1_and_the_next_level():
    picture = raw(np.array([0, 9, 18], dtype=np.uint16))
    values = intensities(log_intensities(picture, seeded("zero")))[inner(picture) == 0]
    assert values.min() >= 1
    assert values.max() < 9


def test_the_highest_16_bit_level_stays_below_the_range():
    picture = raw(np.array([60000, 65535], dtype=np.uint16))
    values = intensities(log_intensities(picture, seeded("high")))[inner(picture) == 65535]
    assert values.min() > 65534
    assert values.max() < 65537


def test_the_border_does_not_count():
    pixels = raw(LEVELS).pixels.copy()
    # A level of its own would halve a gap.
    pixels[:, :2] = pixels[:, -2:] = pixels[0] = pixels[-1] = 50
    made = log_intensities(Picture("some.iml", pixels, RANGE), seeded("gaps"))
    np.testing.assert_array_equal(made.pixels, log_intensities(raw(LEVELS), seeded("gaps")).pixels)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Picture("a", np.full((9, 9), 7, dtype=np.uint16), RANGE), "same intensity everywhere"),
        (Picture("a", np.zeros((9, 9), dtype=np.uint8), 256), "16 bits"),
        (Picture("a", np.zeros((9, 9, 3), dtype=np.uint16), RANGE), "16 bits"),
        (Picture("a", np.zeros((4, 9), dtype=np.uint16), RANGE), "border"),
    ],
)
def test_what_has_no_log_intensities_is_named(picture: Picture, message: str):
    with pytest.raises(DataError, match=f"a .*{message}"):
        log_intensities(picture, seeded(0))


def test_noise_narrower_than_the_gaps_can_be_scored_arbitrarily_high():
    """Uniform data on every d-th level have 0 bit/px in their range. A histogram that sees the comb gains log2(d)."""
    for d in (4, 16):
        levels = np.random.default_rng(0).integers(0, 256 // d, (256, 256)).astype(np.uint8) * d
        comb = [Picture("comb", levels, 256)]
        noise = torch.rand(256, 256, generator=seeded(d)).numpy()
        filled = [Picture("filled", ((levels + d * noise) / 256).astype(np.float32), None)]
        assert evaluate(Histogram.fit(comb), comb).bits_per_pixel == pytest.approx(math.log2(d), abs=0.05)
        assert evaluate(Histogram.fit(filled, bins=256), filled).bits_per_pixel == pytest.approx(0, abs=0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images, of which the third is half saturated, and something else."""
    path = tmp_path_factory.mktemp("vanhateren")
    draw = np.random.default_rng(0)
    table = np.cumsum(draw.integers(6, 12, 200))
    for k in range(6):
        pixels = table[draw.integers(0, 200, VAN_HATEREN_SHAPE)]
        if k == 2:
            pixels[:, :700] = table[-1]
        write(path / f"imk0000{k}.iml", pixels)
    (path / "readme.txt").write_text("not an image")
    # What some systems leave beside copied files.
    (path / "._imk00001.iml").write_bytes(b"no image")
    return path


def stems(pictures: LogIntensities) -> list[str]:
    return [Path(name).stem[-1] for name in pictures.names]


def test_a_folder_is_divided_and_says_what_it_left_out(folder: Path):
    train, test = open_van_hateren(folder, "train"), open_van_hateren(folder, "test")
    assert (stems(train), stems(test)) == (["1", "3", "4"], ["0", "5"])
    assert len(train.skipped) == len(test.skipped) == 1
    assert "imk00002.iml has 45.8%" in train.skipped[0]
    assert (train[0].name, train[0].pixels.shape) == (train.names[0], (1020, 1532))
    assert stems(open_van_hateren(folder, "test", saturated=1.0)) == ["0", "4"]


def test_the_seed_the_name_and_the_pixels_decide(folder: Path, tmp_path: Path):
    first, again, other = (open_van_hateren(folder, "test", seed)[1].pixels for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    # The same file in other company, in another folder.
    for name in ("imk00005.iml", "imk00004.iml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    np.testing.assert_array_equal(first, open_van_hateren(tmp_path, "train", 3)[0].pixels)


def test_every_fourth_is_for_testing():
    assert split(range(10, 23)) == ([11, 12, 13, 15, 16, 17, 19, 20, 21], [10, 14, 18, 22])


def test_folders_that_cannot_be_used(tmp_path: Path):
    with pytest.raises(DataError, match="no folder"):
        open_van_hateren(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"0 \.iml images"):
        open_van_hateren(tmp_path)
    (tmp_path / "a.iml").write_bytes(b"too short")
    with pytest.raises(DataError, match=r"a\.iml.*3,145,728 bytes"):
        open_van_hateren(tmp_path)
    write(tmp_path / "a.iml", np.full(VAN_HATEREN_SHAPE, 7))
    with pytest.raises(DataError, match=r"0 \.iml images.*a\.iml has 100\.0%"):
        open_van_hateren(tmp_path)
    with pytest.raises(ConfigError, match="saturated"):
        open_van_hateren(tmp_path, saturated=0.0)
