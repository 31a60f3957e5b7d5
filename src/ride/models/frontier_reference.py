"""Drawing an image pixel by pixel in raster order: the slow, obviously right twin of the frontier."""

from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.models.frontier import Bounds, Drawable
from ride.models.slstm import SpatialLSTM


@torch.no_grad()
def fill_raster(
    model: Drawable,
    images: Float[Tensor, "B H W M"],
    mask: Bool[Tensor, "H W"] | None,
    u: Float[Tensor, "B h w"],
    z: Float[Tensor, "B h w M"],
    bounds: Bounds | None = None,
) -> Float[Tensor, "B H W M"]:
    """Return what `fill` returns, one pixel after another."""
    images = images.clone()
    batch, height, width, _ = images.shape
    rows, columns = model.neighborhood.predicted_shape(height, width)
    radius = model.neighborhood.radius
    layers = [cast(SpatialLSTM, layer) for layer in model.layers]
    zero = [images.new_zeros(batch, layer.hidden) for layer in layers]
    above = [[(state, state) for state in zero] for _ in range(columns)]
    for i in range(rows):
        left = [(state, state) for state in zero]
        for j in range(columns):
            window = images[:, i : i + radius + 1, j : j + 2 * radius + 1]
            x = model.whitening.whiten_inputs(model.neighborhood.extract(window)[0][:, 0, 0])
            h = x
            for number, layer in enumerate(layers):
                (h_left, c_left), (h_up, c_up) = left[number], above[j][number]
                h, c = layer.step(h, h_left, h_up, c_left, c_up)
                left[number] = above[j][number] = (h, c)
            if mask is None or mask[i + radius, j + radius]:
                y = model.whitening.invert_outputs(x, model.head.draw(h, u[:, i, j].contiguous(), z[:, i, j]))
                images[:, i + radius, j + radius] = y if bounds is None else y.clamp(*bounds)
    return images
