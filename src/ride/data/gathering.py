"""Rows of pixels put one after another: in memory, or in a temporary file where they are too many."""

import tempfile
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ride.errors import OutputError

IN_MEMORY = 2**30
"""Bytes that are kept in memory; more go into a file."""


class Gathering:
    """Takes arrays [rows, M] of one type and gives them back as one, `IN_MEMORY` bytes in memory at most.

    Beyond that all of it lies in a file without a name, in the folder for temporary files (`TMPDIR`), of which the
    system holds in memory what is in use and there is room for. It is gone with the process, however that ends.
    """

    def __init__(self) -> None:
        self._parts: list[NDArray[np.generic]] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Gathering":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.clear()
        if self._file:
            self._file.close()

    def add(self, part: NDArray[np.generic]) -> None:
        """Put rows [rows, M] behind those before.

        Raises:
            OutputError: there is no room for the file, or none can be made.
        """
        self._bytes += part.nbytes
        self._parts.append(part)
        if self._bytes <= IN_MEMORY:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="ride-")  # noqa: SIM115
            for each in self._parts:
                self._file.write(np.ascontiguousarray(each).data)
            # Now, not when the file is mapped: a disk that is full is noticed here.
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"cannot write {self._bytes:,} bytes of pixels into a temporary file ({error.strerror or error}): set"
                " TMPDIR to a folder on a disk with room for all images"
            ) from error
        self._parts.clear()

    def array(self, kind: np.dtype) -> NDArray[np.generic]:
        """All rows [all, M] of the type `kind`, to be read only."""
        if self._file is None:
            return np.concatenate(self._parts)
        return np.asarray(np.memmap(self._file, kind, mode="r"))
