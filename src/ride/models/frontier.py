"""Drawing an image pixel after pixel, many pixels at a time.

The neighborhood of radius r reaches r columns to the right in the rows above, so pixel (i, j) has to wait for
row i - 1 up to column j + r. All pixels of equal t = j + (r + 1) i are independent given the earlier ones and
are drawn at once: W' + (r + 1)(H' - 1) steps instead of W' H' and, with given noise, the same image.
"""

from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ride.errors import ConfigError, RunawayError
from ride.models.mcgsm import MCGSM
from ride.models.mcgsm.drawing import Drawing
from ride.models.neighborhood import Neighborhood
from ride.models.slstm import SpatialLSTM
from ride.models.whitening import ConditionalWhitening
from ride.progress import Progress
from ride.threads import alone, check

Bounds = tuple[float, float]
CELLS_FOR_THREADS = 256
"""Steps of fewer pixels are done by one thread."""


@runtime_checkable
class Drawable(Protocol):
    """The parts of a model that drawing visits in turn."""

    neighborhood: Neighborhood
    whitening: ConditionalWhitening
    layers: nn.ModuleList
    head: MCGSM


@torch.no_grad()
def fill(
    model: Drawable,
    images: Float[Tensor, "B H W M"],
    mask: Bool[Tensor, "Hm Wm"] | Bool[Tensor, "Bm Hm Wm"] | None,
    u: Float[Tensor, "B h w"],
    z: Float[Tensor, "B h w M"],
    bounds: Bounds | None = None,
    progress: Progress | None = None,
    *,
    slope: int | None = None,
) -> Float[Tensor, "B H W M"]:
    """Return the images with the pixels under the mask drawn from the model, each given all pixels before it.

    Only the h x w predicted pixels can be drawn (`Neighborhood.predicted_shape`); without a mask all are. A mask is
    for all images, or there is one for each.
    Every other pixel keeps its value bit for bit, and the states of the spatial LSTMs advance over it. `u`,
    uniform on [0, 1), chooses component and scale and `z`, standard normal, the value: drawing in raster
    order with the same noise gives the same image. Drawn values are clipped to `bounds`. A row trails the
    one above by `slope` columns: the least that will do unless given, w for one pixel at a time.

    Raises `DataError` for images smaller than the neighborhood, `ConfigError` for a mask or noise that does
    not fit them, `RunawayError` where the drawn pixels are not finite.
    """
    if model.neighborhood.given:
        raise ConfigError("a model of one plane given others draws none: it is for scoring and compressing colour")
    radius = model.neighborhood.radius
    rows, columns = model.neighborhood.predicted_shape(*images.shape[1:3])
    if u.shape[1:] != (rows, columns):
        raise ConfigError(f"noise is needed for {rows} x {columns} pixels, not {u.shape[1]} x {u.shape[2]}")
    if mask is not None:
        if mask.shape[-2:] != images.shape[1:3] or mask.shape[:-2] not in ((), (len(images),)):
            raise ConfigError(
                f"a mask of {' x '.join(map(str, mask.shape))} pixels does not fit {len(images)} images of"
                f" {images.shape[1]} x {images.shape[2]}: give one of the same size"
            )
        mask = mask[..., radius:, radius : radius + columns].expand(len(images), -1, -1).permute(1, 2, 0)
        # Below the last pixel to draw there is nothing to do.
        rows = int(mask.any(2).any(1).nonzero().max()) + 1 if mask.any() else 0
    if rows == 0:
        return images.clone()
    order = _Order(rows, columns, radius + 1 if slope is None else slope)
    frontier = _Frontier(model, images, order)
    height, width = images.shape[1:3]
    places = torch.arange(height * width, device=images.device).view(height, width)
    parts = zip(
        order.steps,
        order.split(places[radius:, radius : radius + columns]),
        order.split(u.permute(1, 2, 0)),
        order.split(z.permute(1, 2, 0, 3)),
        order.split(mask) if mask is not None else [None] * len(order.steps),
        strict=True,
    )
    with alone(max(step.rows for step in order.steps) * len(images) < CELLS_FOR_THREADS):
        for done, part in enumerate(parts, start=1):
            check()
            frontier.advance(*part, bounds)
            if progress is not None:
                progress(done, len(order.steps))
    drawn = frontier.images()
    if not drawn.isfinite().all():
        raise RunawayError(
            "drawing led to pixels that are NaN or infinite: the model was not trained to the end,"
            " or the image that it continues has such pixels"
        )
    return drawn


class _Step(NamedTuple):
    """The pixels (i, t - slope i) in `rows` rows i from `top` on."""

    t: int
    top: int
    rows: int


class _Order:
    """The pixels of a grid in the order of t = j + slope i, from top to bottom where t is equal."""

    def __init__(self, rows: int, columns: int, slope: int) -> None:
        self.rows, self.columns, self.slope = rows, columns, slope
        row = torch.arange(rows).unsqueeze(1)
        t = torch.arange(columns) + slope * row
        self.permutation = torch.argsort((t * rows + row).flatten())
        counts = torch.bincount(t.flatten()).tolist()
        # A grid narrower than the slope has no pixels for some t.
        self.steps = [
            _Step(t, max(0, -((columns - 1 - t) // slope)), count) for t, count in enumerate(counts) if count
        ]

    def split(self, grid: Tensor) -> tuple[Tensor, ...]:
        """Return, for each step, the contiguous rows of a grid [H', W', ...] that belong to its pixels."""
        flat = grid[: self.rows].flatten(0, 1)
        return flat[self.permutation.to(grid.device)].split([step.rows for step in self.steps])


class _States:
    """The hidden and memory units of one layer that the next pixels need.

    They are kept by row: the cell to the left was visited one step ago in the same row, the cell above slope
    steps ago in the row above. So a ring of slope + 1 slabs [rows * B, N] holds them, contiguous for every
    step. A slab starts with a row of zeros, the cells above the grid; a row that has not begun is zero, as
    are the cells left of the grid.
    """

    def __init__(self, layer: SpatialLSTM, order: _Order, batch: int) -> None:
        self.layer, self.slope, self.batch = layer, order.slope, batch
        ring = (order.slope + 1, (order.rows + 1) * batch, layer.hidden)
        self.h = layer.weight.new_zeros(ring).unbind()
        self.c = layer.weight.new_zeros(ring).unbind()

    def advance(self, x: Tensor, step: _Step) -> Tensor:
        """Visit the pixels of a step; return their hidden units [P, N]."""
        above, here = step.top * self.batch, (step.top + 1) * self.batch
        left, up, now = ((step.t - back) % len(self.h) for back in (1, self.slope, 0))
        h, _ = self.layer.step(
            x,
            self.h[left].narrow(0, here, len(x)),
            self.h[up].narrow(0, above, len(x)),
            self.c[left].narrow(0, here, len(x)),
            self.c[up].narrow(0, above, len(x)),
            (self.h[now].narrow(0, here, len(x)), self.c[now].narrow(0, here, len(x))),
        )
        return h


class _Frontier:
    """The image being drawn as [H * W, B * M], and the states of every layer."""

    def __init__(self, model: Drawable, images: Tensor, order: _Order) -> None:
        self.batch, height, width, self.channels = images.shape
        self.shape = (height, width, self.batch, self.channels)
        self.pixels = images.permute(1, 2, 0, 3).reshape(height * width, -1).clone()
        self.offsets = torch.tensor(
            [di * width + dj for di, dj in model.neighborhood.offsets], dtype=torch.long, device=images.device
        )
        self.whitening, self.unwhiten_out = model.whitening, model.whitening.unwhiten_out()
        self.states = [_States(cast(SpatialLSTM, layer), order, self.batch) for layer in model.layers]
        self.drawing = Drawing(model.head)

    def images(self) -> Tensor:
        return self.pixels.view(self.shape).permute(2, 0, 1, 3).contiguous()

    def advance(
        self, step: _Step, place: Tensor, u: Tensor, z: Tensor, mask: Tensor | None, bounds: Bounds | None
    ) -> None:
        """Visit the pixels of a step, at rows `place` of `pixels`, and draw those under the mask."""
        x = h = self.whitening.whiten_inputs(self.inputs(place))
        for states in self.states:
            h = states.advance(h, step)
        u, z = u.flatten(), z.flatten(0, 1)
        cells = None
        if mask is not None:
            cells = mask.flatten().nonzero().squeeze(1)
            if not len(cells):
                return
            x, h, u, z = (part.index_select(0, cells) for part in (x, h, u, z))
        y = self.whitening.predict(x) + linear(self.drawing.draw(h, u, z), self.unwhiten_out)
        if bounds is not None:
            y = y.clamp(*bounds)
        if cells is not None:
            row, image = cells // self.batch, cells % self.batch
            self.pixels.view(-1, self.batch, self.channels)[place[row], image] = y
        else:
            self.pixels.index_copy_(0, place, y.view(len(place), -1))

    def inputs(self, place: Tensor) -> Tensor:
        """Return the neighborhoods [P, M * size], P counting rows and then the batch."""
        near = self.pixels.index_select(0, (place.unsqueeze(1) + self.offsets).flatten())
        near = near.view(len(place), len(self.offsets), self.batch * self.channels).mT
        return near.reshape(len(place) * self.batch, self.channels * len(self.offsets))
