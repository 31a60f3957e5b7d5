"""Metropolis within Gibbs: the update of equation (9), many blocks at a time.

A block y of the missing pixels is proposed by ancestral sampling in its window and accepted with probability

    min(1, p(y', rest) q(y) / (p(y, rest) q(y'))),

where p is the density of the pixels that the window predicts and q that of the proposal. Both are products over pixels
of the same conditionals, so that those of the block cancel: what remains are the pixels after it.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.generation.blocks import BLOCK, Blocks
from ride.models.frontier import Bounds, fill
from ride.models.ride import RIDE
from ride.threads import spread

LEAST_WINDOWS = 4
"""Windows for a thread of its own."""

Density = Callable[[Tensor], Tensor]
"""Log-density in nats of whole images [K, H, W, M], up to a constant: one number for each."""


class Noise(NamedTuple):
    """What the updates of blocks need drawn: uniform and normal numbers for the pixels, uniform ones to accept."""

    u: Float[Tensor, "K n s s"]
    z: Float[Tensor, "K n s s M"]
    level: Float[Tensor, "K n"]

    def of(self, chosen: slice) -> "Noise":
        """That of some of the blocks."""
        return Noise(self.u[:, chosen], self.z[:, chosen], self.level[:, chosen])


def noise_of(images: Float[Tensor, "K H W M"], blocks: int, generator: torch.Generator) -> Noise:
    """Draw the noise of an update of so many blocks in each image."""
    shape = (len(images), blocks, BLOCK, BLOCK)
    u = torch.rand(shape, dtype=torch.float64, generator=generator)
    z = torch.randn(*shape, images.shape[3], dtype=images.dtype, generator=generator)
    level = torch.rand(shape[:2], dtype=torch.float64, generator=generator)
    return Noise(u.to(images.device), z.to(images.device), level.to(images.device))


@torch.no_grad()
def update(
    model: RIDE,
    images: Float[Tensor, "K H W M"],
    blocks: Blocks,
    chosen: slice,
    noise: Noise,
    bounds: Bounds,
    exact: Density | None = None,
) -> Bool[Tensor, "K n"]:
    """Update some blocks of one class in each image, in place; return which proposals were accepted.

    A proposal with a pixel outside the bounds has density 0 under a model of images and is refused. With `exact` the
    density p is that of the whole image, for one block at a time.
    """
    old = blocks.windows(images, chosen)
    count = old.shape[:2]
    flat = [
        part.flatten(0, 1)
        for part in (
            old,
            blocks.updated[chosen].expand(len(images), -1, -1, -1),
            blocks.counted[chosen].expand(len(images), -1, -1, -1),
            noise.u,
            noise.z,
        )
    ]

    def propose(old: Tensor, updated: Tensor, counted: Tensor, u: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        new = fill(model, old, updated, *_in_window(model, blocks, u, z))
        return new, *gains(model, old, new, updated, counted, blocks.margin, exact is not None)

    parts = spread(propose, *flat, least=LEAST_WINDOWS)
    new, after, within = (torch.cat(part) for part in zip(*parts, strict=True))
    new, ratio = new.unflatten(0, count), after.view(count)
    if exact:
        candidate = images.clone()
        blocks.put(candidate, chosen, new)
        ratio = (exact(candidate) - exact(images)).view(count) - within.view(count)
    possible = ((new >= bounds[0]) & (new <= bounds[1])) | ~blocks.updated[chosen, ..., None]
    # What is not a number is not accepted.
    accepted = (noise.level.log() < ratio) & possible.flatten(2).all(2)
    blocks.put(images, chosen, torch.where(accepted[..., None, None, None], new, old))
    return accepted


def _in_window(model: RIDE, blocks: Blocks, u: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """The noise of blocks, where the predicted pixels of their windows have it."""
    rows, columns = model.neighborhood.predicted_shape(blocks.side, blocks.side)
    top, left = blocks.margin - model.neighborhood.radius, blocks.margin - model.neighborhood.radius
    place = (slice(None), slice(top, top + BLOCK), slice(left, left + BLOCK))
    wide_u, wide_z = u.new_zeros(len(u), rows, columns), z.new_zeros(len(z), rows, columns, z.shape[-1])
    wide_u[place], wide_z[place] = u, z
    return wide_u, wide_z


def gains(
    model: RIDE,
    old: Float[Tensor, "n side side M"],
    new: Float[Tensor, "n side side M"],
    updated: Bool[Tensor, "n side side"],
    counted: Bool[Tensor, "n rows columns"],
    margin: int,
    proposals: bool = True,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """By how many nats the log-density of the pixels after the block rises, and that of its own, in each window.

    The first is the logarithm of the ratio of equation (9), the second that of the densities of the proposals, or 0
    where these are not asked for.
    """
    radius, above = model.neighborhood.radius, margin
    # The rows above the block have the same states either way.
    shared = old[:, :above]
    state = model.hidden_band(shared)[3] if shared.shape[1] > radius else []
    both = [(torch.cat([h, h], dim=1), torch.cat([c, c], dim=1)) for h, c in state]
    h, y, order, _ = model.hidden_band(torch.cat([old, new])[:, above - radius :], both or None)
    own = updated[:, above:, radius : updated.shape[2] - radius]
    after = counted[:, above - radius :] & ~own

    def gain(pixels: Tensor) -> Tensor:
        cells = pixels.flatten(1)[:, order].T.repeat(1, 2)
        values = h.new_zeros(cells.shape, dtype=torch.float64)
        values[cells] = model.head.log_prob(h[cells], y[cells]).double()
        whole = values.sum(0)
        return whole[len(old) :] - whole[: len(old)]

    return gain(after), gain(own) if proposals else h.new_zeros(len(old), dtype=torch.float64)
