"""Dead leaves are what their settings say, and nothing but the settings, the seed, the part and the place decides."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from ride.data import DeadLeaves, Leaves, seeded
from ride.data.deadleaves import UNCOVERED, _lay_behind, _throw, render
from ride.errors import ConfigError

SIZE = (20, 24)
CLEAN = Leaves(noise=0.0)


def test_an_image_is_a_function_of_seed_part_and_place():
    images = DeadLeaves(3, seed=5, size=SIZE)
    again = DeadLeaves(9, seed=5, size=SIZE)
    np.testing.assert_array_equal(images[2].pixels, again[2].pixels)
    assert images[2].name == again[2].name == "deadleaves-train-0002"
    others = [images[1], DeadLeaves(3, seed=6, size=SIZE)[2], DeadLeaves(3, seed=5, part="test", size=SIZE)[2]]
    for other in others:
        assert not np.array_equal(images[2].pixels, other.pixels)
    torch.manual_seed(1)
    np.testing.assert_array_equal(images[2].pixels, again[2].pixels)


def test_images_are_a_sequence():
    images = DeadLeaves(3, size=SIZE)
    assert len(images) == 3
    assert [picture.name for picture in images] == [picture.name for picture in images[:]] == images.names
    np.testing.assert_array_equal(images[-1].pixels, images[2].pixels)
    with pytest.raises(IndexError):
        images[3]
    picture = images[0]
    assert (picture.pixels.shape, picture.pixels.dtype, picture.levels) == (SIZE, np.uint8, 256)


@pytest.mark.parametrize("leaves", [CLEAN, replace(CLEAN, smallest=0.3, largest=40.0), replace(CLEAN, exponent=6.0)])
def test_every_pixel_is_covered_by_a_leaf(leaves: Leaves):
    image = render(leaves, *SIZE, seeded(1))
    assert UNCOVERED < leaves.darkest <= float(image.min())
    assert float(image.max()) <= leaves.brightest
    # Hard edges: the pixels of a leaf are equal.
    assert len(image.unique()) < image.numel() / 2


def test_intensities_are_those_of_the_disks():
    leaves = Leaves(darkest=0.4, brightest=0.5, noise=0.0)
    pixels = DeadLeaves(1, leaves=leaves, size=(64, 64))[0].pixels
    assert pixels.min() >= math.floor(0.4 * 256)
    assert pixels.max() <= math.floor(0.5 * 256)
    intensities = [disk[3] for disk in _throw(leaves, 99, 99, seeded(0))]
    assert stats.kstest(intensities, stats.uniform(0.4, 0.1).cdf).pvalue > 0.01


@pytest.mark.parametrize(("smallest", "largest", "exponent"), [(1.5, 12.0, 3.0), (1.0, 100.0, 2.0), (2.0, 9.0, 5.5)])
def test_radii_follow_their_power_law(smallest: float, largest: float, exponent: float):
    leaves = Leaves(smallest=smallest, largest=largest, exponent=exponent)

    def below(r):
        """The integral of the density, which is in proportion to r^-exponent."""
        whole = 1 - (largest / smallest) ** (1 - exponent)
        return (1 - (np.asarray(r) / smallest) ** (1 - exponent)) / whole

    # In a large enough image hardly a disk, of whatever radius, misses it.
    radii = [disk[0] for disk in _throw(leaves, 10**6, 10**6, seeded("radii"))]
    assert len(radii) > 8000
    assert stats.kstest(radii, below).pvalue > 0.01


def test_disks_that_miss_the_image_are_left_out_and_no_others():
    leaves = Leaves(smallest=1.0, largest=8.0)
    disks = np.array(_throw(leaves, 10, 10, seeded(0)))
    radius, row, column = disks[:, 0], disks[:, 1], disks[:, 2]
    for at in (row, column):
        assert (at > -radius).all()
        assert (at < 10 + radius).all()
        # They reach in from all sides, evenly.
        assert at.min() < -4
        assert at.max() > 14
        assert abs(at.mean() - 5) < 4 * at.std() / math.sqrt(len(at))


def test_noise_has_its_standard_deviation():
    leaves = Leaves(noise=0.02)
    noisy, clean = (render(each, 64, 64, seeded(3)) for each in (leaves, replace(leaves, noise=0.0)))
    noise = (noisy - clean).double().numpy().ravel() / 0.02
    assert stats.kstest(noise, "norm").pvalue > 0.01


def test_a_disk_covers_the_pixels_whose_centers_lie_in_it():
    # Leaves of one radius, so large that one disk covers an image of a single pixel's neighbors, or its edge shows.
    leaves = Leaves(smallest=50.0, largest=50.1, noise=0.0)
    image = render(leaves, 30, 30, seeded(0)).numpy()
    front = _throw(leaves, 30, 30, seeded(0))[0]
    radius, row, column, intensity = front
    down, right = np.mgrid[:30, :30] + 0.5
    inside = (down - row) ** 2 + (right - column) ** 2 <= radius**2
    np.testing.assert_array_equal(image == np.float32(intensity), inside)


@pytest.mark.parametrize("size", [(7, 40), (40, 7), (33, 33)])
def test_disks_are_those_of_their_definition_whatever_their_size(size: tuple[int, int]):
    leaves = Leaves(smallest=0.4, largest=100.0, exponent=1.5, noise=0.0)
    disks = _throw(leaves, *size, seeded(3))
    found = np.full(size, UNCOVERED, dtype=np.float32)
    _lay_behind(found, disks)
    i, j = np.mgrid[: size[0], : size[1]] + 0.5
    expected = np.full(size, UNCOVERED, dtype=np.float32)
    for radius, row, column, intensity in disks[::-1]:
        expected[(i - row) ** 2 + (j - column) ** 2 <= radius**2] = intensity
    np.testing.assert_array_equal(found, expected)


def test_large_disks_need_no_more_memory_than_the_image():
    # Boxes of 2 million rows would not fit anywhere.
    image = render(Leaves(smallest=5e5, largest=1e6, noise=0.0), 9, 11, seeded(0))
    assert image.min() >= 0.1


def test_supersampling_is_the_mean_of_a_finer_image():
    fine = Leaves(smallest=4.5, largest=36.0, noise=0.0)
    coarse = Leaves(smallest=1.5, largest=12.0, noise=0.0, supersample=3)
    means = render(fine, 24, 30, seeded(7)).unflatten(1, (10, 3)).unflatten(0, (8, 3)).mean((1, 3))
    torch.testing.assert_close(render(coarse, 8, 10, seeded(7)), means, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"smallest": 0.0},
        {"smallest": 200.0},
        {"smallest": math.nan},
        {"largest": math.inf},
        {"smallest": 1e200, "largest": 1e300},
        {"largest": 1.0},
        {"exponent": 1.0},
        {"exponent": math.nan},
        {"darkest": -0.1},
        {"brightest": 1.1},
        {"darkest": 0.9},
        {"supersample": 0},
        {"noise": -0.1},
        {"noise": math.nan},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]):
    with pytest.raises(ConfigError):
        Leaves(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_images_need_pixels(size: tuple[int, int]):
    with pytest.raises(ConfigError, match=f"not {size[0]} x {size[1]}"):
        DeadLeaves(1, size=size)


def test_at_least_one_image_is_made():
    with pytest.raises(ConfigError, match="at least one"):
        DeadLeaves(0)


@pytest.mark.parametrize("settings", [{"smallest": 1e-6}, {"largest": 1e6}, {"largest": 1e5, "exponent": 4.0}])
def test_what_would_never_end_is_refused(settings: dict[str, float]):
    with pytest.raises(ConfigError, match="disks"):
        DeadLeaves(1, leaves=Leaves(**settings))  # type: ignore[arg-type]
