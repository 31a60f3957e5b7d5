"""Drawing images from a model, from a border of noise on."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ride.errors import ConfigError
from ride.models.frontier import Bounds, Drawable, fill
from ride.models.whitening import ConditionalWhitening
from ride.progress import Progress
from ride.threads import spread

MARGIN = 8
"""Rows above and columns on either side of a sampled image that are drawn and then cut off."""


def draw_images(
    model: Drawable,
    height: int,
    width: int,
    *,
    batch: int = 1,
    seed: int = 0,
    values: Float[Tensor, "..."] | None = None,
    bounds: Bounds | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "batch height width"] | Float[Tensor, "batch height width M"]:
    """Draw images [batch, height, width], [batch, height, width, M] if a pixel has M > 1 channels.

    The pixels of the border that the first predictions need are drawn independently: from the pixels
    `values` ([P] or [..., M]), or else from a normal distribution with the mean and covariance of the
    pixels that the whitening was fitted on. `MARGIN` more rows above and columns on either side are drawn
    from the model and cut off with the border.

    The noise of image k depends on `seed` and k only, not on `batch`. Pixels are clipped to `bounds` as
    they are drawn. Several images are divided over threads; `progress` is called with the steps done and all steps, in
    one of them.

    Raises `ConfigError` for a size, seed, bound or value that makes no sense, `ModelError` where the drawn
    pixels are not finite.
    """
    like = model.whitening.mean_out
    channels, radius = len(like), model.neighborhood.radius
    _check_request(height, width, batch, seed, bounds)
    rows, columns = height + MARGIN, width + 2 * MARGIN
    border = _border_values(model.whitening, values) if values is not None else None
    images, u, z = [], [], []
    for k in range(batch):
        state = np.random.SeedSequence((seed, k)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]))

        def normal(*shape: int, generator: torch.Generator = generator) -> Tensor:
            return torch.randn(*shape, channels, dtype=like.dtype, generator=generator).to(like.device)

        shape = (rows + radius, columns + 2 * radius)
        if border is None:
            images.append(_gaussian(model.whitening, normal(*shape)))
        else:
            chosen = torch.randint(len(border), shape, generator=generator)
            images.append(border[chosen.to(border.device)])
        # Float32 would be 0 every 2^24 pixels, and choose the first component no matter how improbable it is.
        u.append(torch.rand(rows, columns, dtype=torch.float64, generator=generator).to(like.device))
        z.append(normal(rows, columns))
    start = torch.stack(images)
    if bounds is not None:
        start = start.clamp(*bounds)

    def draw(number: Tensor, images: Tensor, u: Tensor, z: Tensor) -> Tensor:
        # All threads are about equally far.
        return fill(model, images, None, u, z, bounds, progress if number[0] == 0 else None)

    drawn = torch.cat(spread(draw, torch.arange(batch), start, torch.stack(u), torch.stack(z)))
    edge = radius + MARGIN
    drawn = drawn[:, edge:, edge : edge + width]
    return drawn.squeeze(-1) if channels == 1 else drawn


def _check_request(height: int, width: int, batch: int, seed: int, bounds: Bounds | None) -> None:
    for name, value in (("height", height), ("width", width), ("batch", batch)):
        if value < 1:
            raise ConfigError(f"the {name} of a sample must be at least 1, not {value}")
    if seed < 0:
        raise ConfigError(f"the seed of a sample must be 0 or more, not {seed}")
    if bounds is not None and not bounds[0] < bounds[1]:
        raise ConfigError(f"the lower bound of a sample must be below the upper one, not {bounds[0]}, {bounds[1]}")


def _border_values(whitening: ConditionalWhitening, values: Tensor) -> Tensor:
    """Return the given pixels as [P, M]."""
    channels = len(whitening.mean_out)
    if values.numel() == 0 or (channels > 1 and values.shape[-1] != channels):
        raise ConfigError(f"border values must be pixels of {channels} channels, not of shape {tuple(values.shape)}")
    return values.reshape(-1, channels).to(whitening.mean_out)


def _gaussian(whitening: ConditionalWhitening, noise: Float[Tensor, "*grid M"]) -> Float[Tensor, "*grid M"]:
    """Return pixels with the mean and covariance of those that the whitening was fitted on."""
    unwhiten = whitening.unwhiten_out()
    covariance = whitening.predictor @ whitening.predictor.T + unwhiten @ unwhiten
    return noise @ torch.linalg.cholesky(covariance).T + whitening.mean_out
