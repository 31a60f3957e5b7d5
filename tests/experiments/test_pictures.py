"""Drawn figures: what their colours mean."""

import numpy as np
import pytest
import torch

from ride.experiments.pictures import Panel, _scale


@pytest.mark.parametrize("side", [2, 40])
def test_the_colours_of_deviations_are_those_of_the_hole_however_small_it_is(side: int):
    deviation = torch.zeros(100, 120, dtype=torch.float64)
    deviation[10 : 10 + side, 20 : 20 + side] = torch.linspace(0.01, 0.3, side**2).view(side, side)
    low, high = _scale(deviation.numpy(), Panel("std", deviation, deviation=True))
    assert low == 0
    assert 0.28 < high <= 0.3


def test_where_all_is_known_there_is_a_scale_nevertheless():
    nothing = torch.zeros(5, 6)
    assert _scale(nothing.numpy(), Panel("std", nothing, deviation=True)) == (0.0, 1.0)


def test_the_colours_of_bits_leave_out_what_is_far_off():
    bits = np.arange(1000.0).reshape(25, 40)
    bits[0, 0] = -1e9
    low, high = _scale(bits, Panel("bits", torch.from_numpy(bits), bits=True))
    assert (low, high) == pytest.approx((9.99, 989.01))
