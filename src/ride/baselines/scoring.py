"""What every system does with the patches that it is asked about: look at them, and take a few at a time."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ride.errors import ConfigError
from ride.threads import spread

CHUNK = 500
"""Patches scored at a time."""
LEAST_PATCHES = 100
"""Patches for a thread of its own."""


def check_patches(x: Tensor, dimension: int, dtype: torch.dtype, name: str) -> None:
    """Raise `ConfigError` unless x is [P, D] of the type that a system computes in."""
    if x.ndim != 2 or x.shape[1] != dimension:
        raise ConfigError(f"this {name} is for patches of {dimension} pixels, [P, {dimension}], not {list(x.shape)}")
    if x.dtype != dtype:
        raise ConfigError(f"this {name} computes in {dtype}: convert the patches from {x.dtype}")


@torch.no_grad()
def in_chunks(score: Callable[[Tensor], Tensor], x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
    """`score` of patches, a few at a time in each thread, without gradients."""

    def of_part(some: Tensor) -> Tensor:
        return torch.cat([score(chunk) for chunk in some.split(CHUNK)])

    return torch.cat(spread(of_part, x, least=LEAST_PATCHES))
