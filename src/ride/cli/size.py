"""The size of an image as an argument: one number for a square, or rows and columns."""

from typing import Annotated

from tyro.conf import arg

from ride.errors import ConfigError

Size = Annotated[int | tuple[int, int], arg(metavar="SIDE|{ROWS COLUMNS}")]


def rows_and_columns(size: int | tuple[int, int]) -> tuple[int, int]:
    """Both numbers of `--size`.

    Raises:
        ConfigError: one of them is not positive.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    if min(rows, columns) < 1:
        raise ConfigError(f"--size must be at least 1 row and 1 column, not {rows} x {columns}")
    return rows, columns
