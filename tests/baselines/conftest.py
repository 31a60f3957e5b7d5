"""Mixtures with all parameters drawn at random."""

from collections.abc import Callable

import pytest
import torch

from ride.baselines.elliptical import EllipticalMixture
from ride.baselines.radial import ScaleMixture, Student


@pytest.fixture
def drawn() -> Callable[..., EllipticalMixture]:
    """Makes a mixture float64 and draws its parameters."""

    def draw(model: EllipticalMixture, seed: int = 0) -> EllipticalMixture:
        generator = torch.Generator().manual_seed(seed)

        def normal(like: torch.Tensor) -> torch.Tensor:
            return torch.randn(like.shape, generator=generator, dtype=torch.float64)

        model.double()
        model.log_pi.copy_(normal(model.log_pi).log_softmax(0))
        if model.free_means:
            model.means.copy_(normal(model.means))
        lower = 0.3 * normal(model.factors).tril(-1)
        model.factors.copy_(lower + torch.diag_embed((0.4 * normal(model.means)).exp()))
        if isinstance(model.radial, ScaleMixture):
            model.radial.alpha.copy_(normal(model.radial.alpha))
            model.radial.log_pi.copy_(normal(model.radial.log_pi).log_softmax(0))
        if isinstance(model.radial, Student):
            model.radial.freedom.copy_(2 + 3 * normal(model.radial.freedom).abs())
        patches = normal(torch.empty(50, model.dimension)) @ normal(torch.empty(model.dimension, model.dimension))
        model.whitening.fit([(patches[:, :0], patches + 0.5)])
        return model

    return draw
