"""Log-likelihood of every pixel of images of any size, in bounded memory."""

from collections.abc import Callable
from threading import Lock

import torch
from jaxtyping import Float
from torch import Tensor

from ride.models.ride import RIDE, BandState
from ride.threads import check, parts, spread

MEMORY = 2**30
"""Bytes of activations that scoring may hold at once unless told otherwise."""


def bytes_per_pixel(model: RIDE) -> int:
    """Bytes of activations that scoring one pixel holds at its peak, somewhat more rather than less.

    The neighborhood is there extracted, whitened and reordered, and of the spatial LSTMs the hidden units of a layer
    and of the one below; on a GPU also five gates, recurrent inputs and c. The MCGSM goes through chunks of its own.
    """
    config, like = model.config, model.whitening.mean_out
    values = 4 * config.channels * (model.neighborhood.size + 1)
    if config.layers:
        held = 3 if like.device.type == "cpu" else 11
        values += held * config.hidden
    return values * like.element_size()


@torch.no_grad()
def log_prob_maps(
    model: RIDE,
    images: Float[Tensor, "B H W *M"],
    *,
    memory: int = MEMORY,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "B H2 W2"]:
    """`RIDE.log_prob`, exactly, with at most about `memory` bytes of activations; no gradient.

    Several images are divided over threads. Where a thread's images do not fit at once, a few are taken at a time;
    where one image does not, bands of its rows, each starting from the state that the band above has left. `progress`
    is called with the predicted rows done and all, by one thread at a time.

    Raises:
        DataError: the images are smaller than the neighborhood.
    """
    height, width = model.neighborhood.predicted_shape(*images.shape[1:3])
    done, total, lock = 0, images.shape[0] * height, Lock()

    def tell(rows: int) -> None:
        nonlocal done
        check()
        with lock:
            done += rows
            if progress:
                progress(done, total)

    each = memory // parts(images)
    room = max(1, each // bytes_per_pixel(model))
    rows, count = min(height, max(1, room // width)), max(1, room // (height * width))

    def score(some: Tensor) -> Tensor:
        values = some.new_empty(len(some), height, width)
        for part, maps in zip(some.split(count), values.split(count), strict=True):
            state: BandState | None = None
            for top in range(0, height, rows):
                bottom = min(top + rows, height)
                band = part[:, top : bottom + model.neighborhood.radius]
                maps[:, top:bottom], state = model.log_prob_band(band, state)
                tell(len(part) * (bottom - top))
        return values

    return torch.cat(spread(score, images))


def log_prob_map(
    model: RIDE,
    image: Float[Tensor, "H W *M"],
    *,
    memory: int = MEMORY,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "H2 W2"]:
    """`log_prob_maps` of a single image: nats of each predicted pixel given the pixels before it."""
    return log_prob_maps(model, image.unsqueeze(0), memory=memory, progress=progress)[0]
