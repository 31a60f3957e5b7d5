"""Images to try the page with: dead leaves, and some of scikit-image's where it is installed."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ride.data import DeadLeaves, Picture
from ride.data.files import readers
from ride.errors import DataError

FILES = {"photograph": "camera.png", "brick": "brick.png", "grass": "grass.png", "gravel": "gravel.png"}
LEAVES = "dead leaves"


def example_names() -> list[str]:
    """Of the examples that are there, photographs first."""
    return [name for name in FILES if _file(name).exists()] + [LEAVES]


def first_of(*names: str) -> str:
    """The first of these examples that is there, or another."""
    return next((name for name in names if name in example_names()), LEAVES)


@cache
def example(name: str) -> Picture:
    """An image by its name.

    Raises:
        DataError: there is none of that name.
    """
    if name == LEAVES:
        made = DeadLeaves(1, 0, part="test")[0]
        return Picture(LEAVES, made.pixels, made.levels)
    if name not in FILES or not _file(name).exists():
        raise DataError(f"there is no example called {name}: choose one of {', '.join(example_names())}")
    (read,) = readers(_file(name), 1)
    picture = read()
    return Picture(name, picture.pixels, picture.levels)


def _file(name: str) -> Path:
    # Importing scikit-image for a file would take seconds.
    found = find_spec("skimage")
    return Path(found.origin or "").parent / "data" / FILES[name] if found else Path(FILES[name] + " is not there")
