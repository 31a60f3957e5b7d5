"""Textures by Portilla and Simoncelli, "A parametric texture model based on joint statistics of complex wavelet
coefficients" (2000): a picture of noise is changed until its statistics are those of an example.

There is no density: the peer has samples, and no rate. The statistics are those of the `plenoptic` package.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ride.data import seeded
from ride.errors import ConfigError, DataError
from ride.progress import Progress

SCALES = 4
"""Of the steerable pyramid, or as many as leave `WIDTH` pixels a side of the smallest."""
WIDTH = 7
"""Of the correlations of neighboring coefficients, in pixels of each scale."""
STEPS = 20
"""Of L-BFGS, of ten iterations each."""
RANGE_WEIGHT = 0.1
"""Of the squares of what pixels are outside [0, 1]."""


def synthesize(
    image: Float[Tensor, "H W"], *, steps: int = STEPS, seed: int = 0, progress: Progress | None = None
) -> Float[Tensor, "H W"]:
    """Draw a texture of the size of the example, in units of the full range, clipped to it.

    All statistics are matched together from the start, from white noise of the example's mean and deviation, with the
    weights that `plenoptic` advises.

    Raises:
        ConfigError: `plenoptic` is not installed.
        DataError: a side of the image cannot be divided by 2 for each scale, or is smaller than 28 pixels.
    """
    scales = min(SCALES, int(math.log2(min(image.shape) / WIDTH)))
    if scales < 2 or any(side % 2**scales for side in image.shape):
        raise DataError(
            f"an example must have at least {4 * WIDTH} pixels a side and sides that are multiples of "
            f"{2 ** max(2, scales)}, not {image.shape[0]} x {image.shape[1]}"
        )
    example = image.detach().float().cpu()[None, None]
    model, loss = _statistics(example, scales)
    target = model(example)
    noise = torch.randn(example.shape, generator=seeded(seed, "noise"))
    drawn = (example.mean() + example.std() * noise).clamp(0, 1).requires_grad_()
    optimizer = torch.optim.LBFGS([drawn], lr=1, max_iter=10, history_size=100, line_search_fn="strong_wolfe")
    value = math.inf

    def closure() -> float:
        optimizer.zero_grad()
        outside = drawn - drawn.detach().clamp(0, 1)
        objective = loss(model(drawn), target) + RANGE_WEIGHT * outside.square().sum()
        objective.backward()
        return float(objective.detach())

    for step in range(steps):
        value = float(optimizer.step(closure))
        if progress:
            progress(step + 1, steps, f"distance of statistics {value:.3f}")
    return drawn.detach()[0, 0].clamp(0, 1).to(image)


def _statistics(example: Tensor, scales: int) -> tuple[Any, Any]:
    try:
        from plenoptic.loss import portilla_simoncelli_loss_factory
        from plenoptic.models import PortillaSimoncelli
    except ImportError as error:
        raise ConfigError(
            "textures by Portilla and Simoncelli need plenoptic: pip install 'ride-density[bench]'"
        ) from error
    model = PortillaSimoncelli(tuple(example.shape[-2:]), n_scales=scales, spatial_corr_width=WIDTH)
    return model, portilla_simoncelli_loss_factory(model, example)
