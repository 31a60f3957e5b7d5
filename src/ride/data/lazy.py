"""Sequences of pictures that come into being when they are asked for."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

from ride.data.picture import Picture


class LazyPictures(Sequence[Picture]):
    """Pictures by number, from the end too, and lists of them by slice."""

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        """Picture `index`, or those of a slice."""
        if isinstance(index, slice):
            return [self._picture(k) for k in range(*index.indices(len(self)))]
        return self._picture(range(len(self))[index])

    @abstractmethod
    def _picture(self, index: int) -> Picture:
        """Picture `index`, from 0."""


class Chosen(LazyPictures):
    """Some of other pictures, by their numbers; none is made before it is asked for."""

    def __init__(self, pictures: Sequence[Picture], numbers: Sequence[int]) -> None:
        self._pictures, self._numbers = pictures, numbers

    def __len__(self) -> int:
        """How many were chosen."""
        return len(self._numbers)

    def _picture(self, index: int) -> Picture:
        return self._pictures[self._numbers[index]]
