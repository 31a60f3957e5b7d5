"""Patches for the tests of the baselines, and an integral of a density over the plane."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def patches_of(count: int, dimension: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Correlated numbers with heavy tails that share a scale, far from zero mean and unit variance."""
    generator = torch.Generator().manual_seed(seed)
    mixing = 0.3 * torch.randn(dimension, dimension, generator=torch.Generator().manual_seed(7), dtype=dtype)
    scale = torch.randn(count, 1, generator=generator, dtype=dtype).exp()
    noise = torch.randn(count, dimension, generator=generator, dtype=dtype)
    return 0.5 + (scale * noise) @ (mixing + 0.2 * torch.eye(dimension, dtype=dtype)).mT


@torch.no_grad()
def roughen(model: nn.Module, seed: int = 0, amount: float = 0.3) -> None:
    """Move all parameters away from where they begin."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.add_(amount * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))


def integral(log_prob: Callable[[Tensor], Tensor], dimension: int, points: int = 501) -> float:
    """Integral of a density over the line or the plane by the trapezoidal rule after x = (1 + sinh(u) / 10) / 2,
    whose tails are long and whose middle, where `patches_of` lies, is fine."""
    u = torch.linspace(-9, 9, points, dtype=torch.float64)
    x, weights = 0.5 + 0.05 * u.sinh(), 0.05 * u.cosh() * (u[1] - u[0])
    if dimension == 1:
        return float((log_prob(x.unsqueeze(1)).exp() * weights).sum())
    grid = torch.cartesian_prod(x, x)
    area = torch.outer(weights, weights).flatten()
    return float((log_prob(grid).exp() * area).sum())


def normal_log_density(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Logarithm of the density of the normal distribution, written out."""
    return -0.5 * ((x - mean) / deviation) ** 2 - deviation.log() - 0.5 * math.log(2 * math.pi)
