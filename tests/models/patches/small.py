"""Small densities of patches whose every part matters, and correlated patches."""

import torch
from torch import Tensor

from ride.models.patches import PatchMCGSM, PatchMCGSMConfig, PatchRIDE, PatchRIDEConfig


def correlated(count: int, dimension: int, seed: int = 0) -> Tensor:
    """Patches [P, D] in which each pixel is like the one before, and whose contrast varies."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, dimension, dtype=torch.float64, generator=generator)
    for k in range(1, dimension):
        x[:, k] = 0.8 * x[:, k - 1] + 0.6 * x[:, k]
    return x * torch.randn(count, 1, dtype=torch.float64, generator=generator).exp() / 10


def lively_mcgsm(dimension: int) -> PatchMCGSM:
    """An MCGSM for each pixel, with parameters of order 1."""
    model = PatchMCGSM(dimension, PatchMCGSMConfig(components=3, scales=2, features=4)).double()
    for number in range(dimension):
        pixel = model.pixel(number)
        pixel.fit_whitening(correlated(500, dimension))
        pixel.initialize(1)
        with torch.no_grad():
            pixel.head.a.normal_(std=0.5)
            pixel.head.eta.normal_()
    return model


def lively_ride(config: PatchRIDEConfig) -> PatchRIDE:
    """A RIDE whose states and mixture matter."""
    model = PatchRIDE(config).double()
    with torch.no_grad():
        for parameter in model.layers.parameters():
            parameter.uniform_(-1, 1)
        model.head.a.uniform_(-0.5, 0.5)
        model.head.b.normal_()
        model.head.beta.normal_()
        model.head.eta.normal_()
    model.fit_whitening(correlated(500, config.dimension) + 0.3)
    return model
