"""A large image needs no more memory than a small one, beside its own pixels and bytes."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.codec.small import small_model

from ride.codec import decode, encode_all, encoding, together
from ride.codec.tiles import without_model

MODEL = small_model()


def peak_of(work: Callable[..., Any], *arguments: Any) -> int:
    """The largest memory of Python and NumPy within a call, beside what there was before."""
    tracemalloc.start()
    try:
        work(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def packed(image: NDArray[Any], verify: bool = False) -> bytes:
    (data,) = encode_all([image], MODEL, side=128, verify=verify)
    return data


@pytest.mark.parametrize("channels", [(), (3,)])
def test_memory_does_not_grow_but_for_the_image_and_the_file(
    monkeypatch: pytest.MonkeyPatch, channels: tuple[int, ...]
):
    """What the model needs is bounded by the tiles of a round; here it is left out, for it takes long."""
    monkeypatch.setattr(
        encoding, "shortest", lambda model, tiles, given, tell, turns: [without_model(tile) for tile in tiles]
    )
    monkeypatch.setattr(together, "TOGETHER", 2**16)
    draw = np.random.default_rng(0)
    small, large = (draw.integers(0, 256, (side, side, *channels), np.uint8) for side in (256, 1024))
    more = large.nbytes - small.nbytes
    peaks = {}
    for name, work, given in (
        ("encode", packed, lambda image: (image,)),
        ("verify", packed, lambda image: (image, True)),
        ("decode", decode, lambda image: (packed(image), MODEL)),
    ):
        before, after = (peak_of(work, *given(image)) for image in (small, large))
        peaks[name] = (after - before) / more
    # The streams, and these joined; the image.
    assert peaks["encode"] < 2.2
    assert peaks["verify"] < 2.2
    assert peaks["decode"] < 1.2
