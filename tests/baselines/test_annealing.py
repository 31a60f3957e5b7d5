"""Annealed importance sampling where log Z is known."""

import math

import pytest
import torch

from ride.baselines.annealing import anneal


def gaussians(chains, moves):
    """From a standard Gaussian to one of variance 4 in 3 dimensions, by exact draws or without moving."""
    generator = torch.Generator().manual_seed(0)

    def log_ratio(v, beta, following):
        return 0.75 * (following - beta) * 0.5 * v.square().sum(-1)

    def move(v, beta):
        return torch.randn(v.shape, generator=generator) / math.sqrt(1 - 0.75 * beta) if moves else v

    start = torch.randn(chains, 3, generator=generator)
    betas = torch.linspace(0, 1, 51).tolist()
    return anneal(start, 1.5 * math.log(2 * math.pi), betas, log_ratio, move)


def test_gaussians():
    found = gaussians(2000, moves=True)
    assert found.chains == 2000
    assert found.error < 0.01
    assert found.value == pytest.approx(1.5 * math.log(2 * math.pi * 4), abs=3 * found.error)
    assert 1800 < found.effective <= 2000


def test_few_chains_carry_the_weight_where_nothing_moves():
    assert gaussians(2000, moves=False).effective < 500


def test_nothing_to_do():
    found = anneal(torch.zeros(5, 2), 1.0, [0.0], lambda *_: torch.zeros(5), lambda v, _: v)
    assert (found.value, found.error, found.effective) == pytest.approx((1.0, 0.0, 5.0))
