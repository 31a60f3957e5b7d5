"""Distances of textures: nothing between equal images, the same both ways, and known where they can be computed."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from torch import Tensor

from ride.data import seeded
from ride.errors import ConfigError, DataError
from ride.evaluation import textures
from ride.evaluation.textures import (
    Distances,
    autocorrelation,
    autocorrelation_distance,
    corners,
    distances,
    marginal_distance,
    nearest_patch,
    noise,
    patch_distance,
    radial_spectrum,
    spectrum_distance,
    to_pieces,
)


def white(seed: int = 0, height: int = 64, width: int = 64, deviation: float = 0.1) -> Tensor:
    return 0.5 + deviation * torch.randn(height, width, generator=seeded(seed))


def wave(down: float, across: float, side: int = 160) -> Tensor:
    """A sinusoid of these periods in pixels."""
    place = torch.arange(side, dtype=torch.float64)
    return 0.5 + 0.3 * torch.cos(2 * math.pi * (place[:, None] / down + place / across))


def values(d: Distances) -> list[float]:
    return [d.marginal, d.spectrum, d.autocorrelation, *d.patches]


@given(st.integers(0, 99), st.integers(0, 99))
def test_equal_images_have_no_distance_and_others_the_same_both_ways(one: int, other: int):
    a, b = white(one), white(1000 + other, deviation=0.2)
    assert values(distances(a, a.clone())) == [0.0] * 6
    there, back = values(distances(a, b)), values(distances(b, a))
    assert there == pytest.approx(back, rel=1e-6)
    assert min(there) > 0


@given(st.integers(0, 99), st.floats(-0.4, 0.4))
def test_brighter_by_a_constant_is_that_far_and_has_the_same_spectrum_and_correlations(seed: int, shift: float):
    a = white(seed, deviation=0.02)
    b = a + shift
    assert marginal_distance(a, b) == pytest.approx(abs(shift), abs=1e-6)
    assert spectrum_distance(a, b) == pytest.approx(0, abs=1e-5)
    assert autocorrelation_distance(a, b) == pytest.approx(0, abs=1e-5)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_the_marginal_distance_is_that_of_scipy(p: int, q: int, seed: int):
    generator = seeded(seed)
    a, b = torch.randn(p, generator=generator), torch.randn(q, generator=generator)
    expected = wasserstein_distance(a.double().numpy(), b.double().numpy())
    assert marginal_distance(a, b) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_order_of_pixels_does_not_move_the_marginal_but_all_else():
    a = wave(8, 16).float()
    order = torch.randperm(a.numel(), generator=seeded(0))
    mixed = a.flatten()[order].view_as(a)
    assert marginal_distance(a, mixed) == 0
    d = distances(a, mixed)
    assert min(d.spectrum, d.autocorrelation, *d.patches) > 0.05


def test_white_noise_has_its_variance_at_all_frequencies():
    spectra = torch.stack([radial_spectrum(white(seed, 128, 128)) for seed in range(24)])
    assert spectra.shape == (24, 63)
    assert spectra.mean(0)[10:].numpy() == pytest.approx(np.full(53, 0.01), rel=0.1)
    # Ten times the deviation is a hundred times the power: two powers of ten, but for what rounding adds.
    a = white(0, 128, 128, deviation=0.02)
    assert spectrum_distance(a, 0.5 + 10 * (a - 0.5)) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("period", [5.0, 8.0, 20.0])
def test_a_sinusoid_has_its_power_at_its_frequency(period: float):
    spectrum = radial_spectrum(wave(1e12, period))
    assert int(spectrum.argmax()) + 1 == round(160 / period)
    # The window leaks into the neighbors only.
    near = slice(round(160 / period) - 2, round(160 / period) + 1)
    assert float(spectrum[near].sum() / spectrum.sum()) > 0.99


@pytest.mark.parametrize(("down", "across"), [(8.0, 16.0), (20.0, 5.0), (1e12, 10.0)])
def test_the_autocorrelation_of_a_sinusoid_is_its_cosine(down: float, across: float):
    found = autocorrelation(wave(down, across))
    rows, columns = torch.arange(41.0), torch.arange(-40.0, 41.0)
    expected = torch.cos(2 * math.pi * (rows[:, None] / down + columns / across))
    # What is left over of the periods at the borders is the error.
    assert float((found - expected).abs().max()) < 0.1
    assert float((found - expected).abs().mean()) < 0.02
    assert float(found[0, 40]) == pytest.approx(1)


def test_the_autocorrelation_is_the_mean_product_of_pairs():
    a = white(3, 17, 19).double()
    found = autocorrelation(a, 6)
    centred = a - a.mean()
    for row in (0, 2, 6):
        for column in (-6, -1, 0, 5):
            left, right = max(0, -column), min(19, 19 - column)
            pairs = centred[: 17 - row, left:right] * centred[row:, left + column : right + column]
            assert float(found[row, 6 + column]) == pytest.approx(float(pairs.mean() / centred.square().mean()))


def test_the_distance_of_autocorrelations_counts_every_lag_once():
    a, b = white(0), wave(8, 16, 64).float()
    whole = []
    for image in (a, b):
        half = autocorrelation(image)
        whole.append(torch.cat([half[1:].flip(0, 1), half]))
    squares = (whole[0] - whole[1]).square()
    squares[40, 40] = math.nan
    expected = float(squares.flatten()[~squares.flatten().isnan()].mean().sqrt())
    assert autocorrelation_distance(a, b) == pytest.approx(expected)
    # Contrast does not count.
    assert autocorrelation_distance(b, 0.5 + 0.2 * (b - 0.5)) == pytest.approx(0, abs=1e-5)


def test_patches_shifted_by_a_constant_are_as_far_as_their_projections():
    a = white(0)
    directions = torch.randn(64, 49, generator=seeded(5, "directions", 0))
    expected = float(0.1 * (directions / directions.norm(dim=1, keepdim=True)).sum(1).abs().mean())
    assert patch_distance(a, a + 0.1, seed=5) == pytest.approx(expected, rel=1e-4)


def test_patches_are_compared_at_three_sizes():
    # Checks of single pixels are gone after averaging over 2 x 2.
    checks = 0.5 + 0.2 * ((torch.arange(64)[:, None] + torch.arange(64)) % 2 - 0.5)
    flat = torch.full((64, 64), 0.5)
    assert patch_distance(checks, flat, 0) > 0.05
    assert patch_distance(checks, flat, 1) == pytest.approx(0, abs=1e-6)
    # What varies slowly is still there at a quarter.
    assert patch_distance(wave(32, 32, 64), flat, 2) > 0.05


def test_copies_are_at_no_distance_from_the_training_regions():
    training = [white(seed) for seed in range(3)]
    copied = torch.cat([training[2][10:40, 5:50], training[2][10:40, 5:50]])[:30]
    assert nearest_patch(copied, training) == 0
    other = nearest_patch(white(7), training)
    assert other > 0.05
    # Half a copy lies in between.
    half = torch.cat([training[0][:40], white(7)[:15]])
    assert nearest_patch(half, training) == 0
    assert 0 < nearest_patch(training[0] + 0.01 * torch.randn(64, 64, generator=seeded(9)), training) < other / 5


def test_the_nearest_patch_is_that_of_a_search_of_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(textures, "CHUNK", 100)
    image, training = white(0, 12, 12), [white(1, 16, 16), white(2, 20, 16)]
    every = torch.cat([textures.patches(region) for region in training])
    expected = torch.cdist(textures.patches(image), every, compute_mode="donot_use_mm_for_euclid_dist").amin(1) / 7
    assert nearest_patch(image, training) == pytest.approx(float(expected.median()), rel=1e-5)


def test_pieces_of_one_texture_measure_the_noise():
    big = white(0, 140, 130)
    pieces = corners(big, 64)
    assert [piece.shape for piece in pieces] == [(64, 64)] * 4
    assert torch.equal(pieces[3], big[-64:, -64:])
    own, far = noise(pieces), to_pieces(0.5 + 2 * (white(9) - 0.5), pieces)
    assert all(
        there > here for here, there in zip(values(own), values(far), strict=True) if here != own.autocorrelation
    )
    single = [distances(a, b).marginal for k, a in enumerate(pieces) for b in pieces[k + 1 :]]
    assert own.marginal == pytest.approx(np.mean(single))
    # Of the same kind they are no farther than the pieces.
    assert to_pieces(white(9), pieces).spectrum == pytest.approx(own.spectrum, rel=0.5)


@pytest.mark.parametrize(
    ("measure", "error"),
    [
        (lambda: spectrum_distance(white(), white(0, 32, 64)), ConfigError),
        (lambda: autocorrelation(white(0, 40, 64)), DataError),
        (lambda: autocorrelation(torch.full((64, 64), 0.5)), DataError),
        (lambda: patch_distance(white(0, 24, 64), white(), 2), DataError),
        (lambda: nearest_patch(white(), []), DataError),
        (lambda: corners(white(), 33), DataError),
        (lambda: noise([white()]), ConfigError),
    ],
)
def test_what_has_no_distance_is_an_error(measure: Callable[[], object], error: type[Exception]):
    with pytest.raises(error):
        measure()
