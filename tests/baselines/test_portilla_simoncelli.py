"""The peer's textures: those of the example in their statistics, and not the example itself."""

import math

import pytest
import torch
from torch import Tensor

from ride.baselines.portilla_simoncelli import _statistics, synthesize
from ride.data import seeded
from ride.errors import DataError
from ride.evaluation.textures import autocorrelation_distance


def stripes(side: int = 48) -> Tensor:
    place = torch.arange(side)
    wave = 0.5 + 0.2 * torch.sin(2 * math.pi * place / 8)[None, :].expand(side, side)
    return (wave + 0.02 * torch.randn(side, side, generator=seeded(0))).clamp(0, 1)


def test_a_sample_has_the_statistics_of_the_example_and_is_another_image():
    example, told = stripes(), []
    drawn = synthesize(example, steps=4, seed=1, progress=lambda done, total, message="": told.append((done, total)))
    assert drawn.shape == example.shape
    assert told == [(k, 4) for k in range(1, 5)]
    assert (float(drawn.min()) >= 0, float(drawn.max()) <= 1) == (True, True)
    model, loss = _statistics(example[None, None], 2)
    noise = example.mean() + example.std() * torch.randn(48, 48, generator=seeded(3))
    target = model(example[None, None])
    far, near = (float(loss(model(image[None, None]), target)) for image in (noise, drawn))
    assert near < far / 3
    # What is matched are the correlations within the 7 pixels.
    assert autocorrelation_distance(drawn, example, 3) < autocorrelation_distance(noise, example, 3) / 3
    assert float((drawn - example).abs().mean()) > 0.05


def test_the_seed_decides():
    example = stripes()
    one, same, other = (synthesize(example, steps=1, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("shape", "multiple"), [((136, 124), 16), ((60, 64), 8), ((8, 8), 4)])
def test_sides_are_divisible(shape: tuple[int, int], multiple: int):
    with pytest.raises(DataError, match=f"at least 28 pixels a side and sides that are multiples of {multiple},"):
        synthesize(torch.rand(*shape))
