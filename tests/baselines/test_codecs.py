"""Each codec gives the image back, and needs more for noise than for a slope."""

import sys

import numpy as np
import pytest

from ride.baselines.codecs import NAMES, Pixels, codec
from ride.errors import ConfigError


def noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)


def slope() -> Pixels:
    return np.add.outer(np.arange(37), np.arange(53)).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_encoded_comes_back(name: str):
    way = codec(name)
    sizes = []
    for image in (slope(), noise()):
        data = way.encode(image)
        assert np.array_equal(way.decode(data, 1), image)
        sizes.append(len(data))
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize("name", NAMES)
def test_colour_comes_back(name: str):
    way = codec(name)
    draw = np.random.default_rng(1)
    for image in (np.stack([slope(), noise(), slope()], axis=2), draw.integers(0, 256, (37, 53, 3), dtype=np.uint8)):
        assert np.array_equal(way.decode(way.encode(image), 3), image)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "png"])
def test_colours_that_are_alike_cost_little(name: str):
    gray = noise() // 2 + np.uint8(60)
    alike = np.stack([gray, gray + np.uint8(3), gray - np.uint8(5)], axis=2)
    assert len(codec(name).encode(alike)) < 1.5 * len(codec(name).encode(gray))


def test_another_codec_is_told():
    with pytest.raises(ConfigError, match=r"no codec 'gif' here: choose from png, .*jpeg-xl-9"):
        codec("gif")


@pytest.mark.parametrize(("name", "library"), [("jpeg-xl-9", "pillow_jxl"), ("jpeg-ls", "imagecodecs")])
def test_a_missing_library_is_told(name: str, library: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=rf"needs {library}: pip install 'ride-density\[bench\]'"):
        codec(name)
