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
