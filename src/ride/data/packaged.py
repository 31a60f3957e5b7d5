"""Images that other packages bring along: those of scikit-image."""

from importlib.util import find_spec
from pathlib import Path

from ride.data.files import readers
from ride.data.picture import Picture
from ride.errors import DataError

SCIKIT_IMAGE = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "chessboard_GRAY.png"),
    *("clock_motion.png", "coffee.png", "coins.png", "color.png", "grass.png", "gravel.png"),
    *("hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png", "motorcycle_left.png"),
    *("page.png", "phantom.png", "retina.jpg", "rocket.jpg", "text.png"),
)
"""The single opaque images that are installed with it, each once: photographs, textures, scans, text and drawings."""
COLOUR = (
    *("astronaut.png", "chelsea.png", "coffee.png", "color.png", "hubble_deep_field.jpg", "ihc.png"),
    *("motorcycle_left.png", "phantom.png", "retina.jpg", "rocket.jpg"),
)
"""Those of them that are stored in colour."""


def packaged_file(name: str) -> Path | None:
    """Where an image lies that is installed with scikit-image; None where it is not.

    It is not imported for that, which would take seconds, and nothing is downloaded.
    """
    found = find_spec("skimage")
    path = Path(found.origin or "").parent / "data" / name if found else None
    return path if path and path.exists() else None


def packaged_picture(name: str, channels: int = 1) -> Picture:
    """An image of scikit-image in gray, or in 3 channels of colour, under its name.

    Raises:
        DataError: it is not installed, or cannot be read.
    """
    path = packaged_file(name)
    if path is None:
        raise DataError(f"there is no {name}, which comes with scikit-image: pip install scikit-image")
    (read,) = readers(path, channels)
    picture = read()
    return Picture(name, picture.pixels, picture.levels)
