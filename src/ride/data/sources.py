"""Where images come from (first version: folders of image files)."""

from pathlib import Path

import numpy as np
from PIL import Image

from ride.data.picture import Picture


def open_pictures(
    source: str | Path,
    *,
    channels: int = 1,
    skip_unreadable: bool = False,
    limit: int | None = None,
    seed: int = 0,
) -> list[Picture]:
    """All images of a folder, sorted by name, as 8-bit gray (luma of ITU-R BT.601)."""
    out = []
    for path in sorted(Path(source).iterdir())[:limit]:
        rgb = np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)
        gray = np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        out.append(Picture(path.name, gray, 256))
    return out
