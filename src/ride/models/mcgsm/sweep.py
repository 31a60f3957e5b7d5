"""One pass over all pixels in chunks that stay in the cache, whatever computes a chunk."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import repeat
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from ride.models.mcgsm.terms import Terms

Sums = TypeVar("Sums")
"""Sums over pixels from which the gradients of the terms come."""


class Sweep(ABC, Generic[Sums]):
    """Values and gradients for pixels x [P, N], y [P, M]; `chunk` pixels at a time."""

    chunk: int

    def __init__(self, x: Tensor, y: Tensor, terms: Terms) -> None:
        self.x, self.y, self.terms = x, y, terms

    @abstractmethod
    def _values(self, x: Tensor, y: Tensor) -> Tensor:
        """Log-likelihoods of a chunk in nats."""

    @abstractmethod
    def _gradients(
        self, x: Tensor, y: Tensor, weight: Tensor | None, sums: Sums | None, d_x: Tensor | None, d_y: Tensor | None
    ) -> Tensor:
        """The same, and the gradients of their (weighted) sum: written into `d_x` and `d_y`, added to `sums`."""

    @abstractmethod
    def _new_sums(self) -> Sums:
        """Sums over no pixels yet."""

    @abstractmethod
    def _of_terms(self, sums: Sums) -> list[Tensor]:
        """The gradient of each of the terms."""

    def values(self) -> Float[Tensor, " P"]:
        """Log-likelihoods in nats."""
        out = self.x.new_empty(len(self.x))
        if len(out):
            for x, y, value in self._chunks(self.x, self.y, out):
                value.copy_(self._values(x, y))
        return out

    def gradients(
        self, needed: tuple[bool, ...], weight: Float[Tensor, " P"] | None = None
    ) -> tuple[Tensor, list[Tensor | None]]:
        """The sum of log-likelihoods, and the gradients for x, y and the terms of it or of a weighted sum."""
        sums = self._new_sums() if any(needed[2:]) else None
        total = torch.zeros((), dtype=torch.float64, device=self.x.device)
        grad_x, grad_y = (
            torch.empty_like(data, memory_format=torch.contiguous_format) if need else None
            for data, need in zip((self.x, self.y), needed, strict=False)
        )
        if len(self.x):
            for x, y, w, d_x, d_y in self._chunks(self.x, self.y, weight, grad_x, grad_y):
                total += self._gradients(x, y, w, sums, d_x, d_y).sum(dtype=torch.float64)
        grads = self._of_terms(sums) if sums is not None else [None] * len(self.terms)
        return total, [grad_x, grad_y, *(g if need else None for g, need in zip(grads, needed[2:], strict=True))]

    def _chunks(self, *data: Tensor | None) -> Iterator[tuple[Any, ...]]:
        """Rows of the data chunk by chunk, None where there is no such data."""
        return zip(*(repeat(None) if one is None else one.split(self.chunk) for one in data), strict=False)


def chunk_pixels(numbers: int, limit: int) -> int:
    """How many pixels fit into a chunk of `limit` numbers where each takes so many: whole lines of a cache."""
    return max(1, limit // (64 * numbers)) * 64
