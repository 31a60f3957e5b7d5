"""Flips and transposes of patches without their last pixel: determinant, group, invariance."""

import math

import pytest
import torch
from torch import Tensor

from ride.errors import DataError
from ride.models.patches import PatchEnsemble, patch_transforms, with_last_pixel, without_dc


class Gaussian:
    """Independent pixels with a mean and spread of their own, for which no two transforms are the same."""

    def __init__(self, dimension: int) -> None:
        self.mean = torch.linspace(-1, 1, dimension, dtype=torch.float64)
        self.density = torch.distributions.Normal(self.mean, 1 + self.mean.abs())

    def log_prob(self, x: Tensor) -> Tensor:
        return self.density.log_prob(x).sum(1)


@pytest.mark.parametrize("dimension", [8, 9, 63, 64])
def test_the_determinants_are_one(dimension: int):
    identity = torch.eye(dimension, dtype=torch.float64)
    for rows in patch_transforms(identity):
        _, log_det = torch.linalg.slogdet(rows.T)
        assert abs(float(log_det)) < 1e-10


def test_a_transform_is_that_of_the_whole_patch():
    patches = torch.rand(4, 8, 8, dtype=torch.float64)
    values = without_dc(patches)
    expected = [patches, patches.flip(1), patches.flip(2), patches.flip(1, 2)]
    expected += [patch.mT for patch in expected]
    found = patch_transforms(values)
    assert len(found) == 8
    for patch in expected:
        assert any(torch.allclose(without_dc(patch), one) for one in found)


@pytest.mark.parametrize("dimension", [8, 9])
def test_the_mixture_is_the_mean_of_its_members_and_invariant(dimension: int):
    x = torch.randn(6, dimension, dtype=torch.float64)
    model = Gaussian(dimension)
    ensemble = PatchEnsemble(model)
    members = ensemble.member_log_probs(x)
    assert members.shape == (8, 6)
    torch.testing.assert_close(members[0], model.log_prob(x))
    value = ensemble.log_prob(x)
    torch.testing.assert_close(value.exp(), members.exp().mean(0))
    for turned in patch_transforms(x):
        torch.testing.assert_close(ensemble.log_prob(turned), value)


def test_the_mixture_integrates_to_one():
    # In two dimensions short of one: patches of 2 x 2 without their last pixel have three.
    draws = torch.randn(200_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    proposal = torch.distributions.Normal(0.0, 3.0).log_prob(draws).sum(1)
    weights = (PatchEnsemble(Gaussian(3)).log_prob(draws) - proposal).exp()
    error = float(weights.std()) / math.sqrt(len(weights))
    assert abs(float(weights.mean()) - 1) < 4 * error < 0.02


def test_pixels_that_make_no_patch():
    with pytest.raises(DataError, match="62 numbers"):
        patch_transforms(torch.rand(2, 62))


def test_the_restored_pixel_makes_the_sum_zero():
    x = torch.randn(3, 63, dtype=torch.float64)
    for turned in patch_transforms(x):
        assert with_last_pixel(turned).sum((1, 2)).abs().max() < 1e-12
