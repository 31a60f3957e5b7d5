"""Images to try the page with: dead leaves, and some of scikit-image's where it is installed."""

from functools import cache

from ride.data import DeadLeaves, Picture
from ride.data.packaged import packaged_file, packaged_picture
from ride.errors import DataError

FILES = {"photograph": "camera.png", "brick": "brick.png", "grass": "grass.png", "gravel": "gravel.png"}
LEAVES = "dead leaves"


def example_names() -> list[str]:
    """Of the examples that are there, photographs first."""
    return [name for name in FILES if packaged_file(FILES[name])] + [LEAVES]


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
    if name not in example_names():
        raise DataError(f"there is no example called {name}: choose one of {', '.join(example_names())}")
    picture = packaged_picture(FILES[name])
    return Picture(name, picture.pixels, picture.levels)
