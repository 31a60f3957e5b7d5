"""Figures of restored pixels: known values, and what they must not depend on."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ride.evaluation.restoration import peak_signal_to_noise, structural_similarity


def hole() -> Tensor:
    mask = torch.zeros(24, 30, dtype=torch.bool)
    mask[8:16, 10:21] = True
    return mask


def texture(seed: int = 0) -> Tensor:
    return torch.rand(24, 30, generator=torch.Generator().manual_seed(seed))


@given(st.floats(0.001, 0.5))
def test_the_ratio_of_a_constant_error_is_known(error: float):
    truth = torch.full((24, 30), 0.25)
    assert peak_signal_to_noise(truth + error, truth, hole()) == pytest.approx(-20 * math.log10(error), abs=1e-3)


def test_what_is_the_same_is_perfect():
    assert peak_signal_to_noise(texture(), texture(), hole()) == math.inf
    assert structural_similarity(texture(), texture(), hole()) == pytest.approx(1.0)


def test_pixels_outside_do_not_count():
    other = torch.where(hole(), texture(), 0.0)
    assert peak_signal_to_noise(other, texture(), hole()) == math.inf


def test_an_unlike_texture_is_less_similar_than_a_little_noise():
    near = texture() + 0.05 * torch.randn(24, 30, generator=torch.Generator().manual_seed(1))
    unlike = torch.where(hole(), texture(5), texture())
    assert structural_similarity(near, texture(), hole()) > 0.9
    assert structural_similarity(unlike, texture(), hole()) < 0.6
