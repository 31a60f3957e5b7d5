"""`ride decompress`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ride.atomic import replacing
from ride.cli.compressed import Together, claimed, of_total, read_compressed, targets
from ride.cli.options import counted
from ride.errors import CodecError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Command(Together):
    """Write the images that `ride compress` compressed, as PNG, pixel for pixel.

    Every tile is compared with its checksum. A damaged file is refused; with --salvage the tiles that are whole are
    written, the others black.
    """

    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE.ride...", help_behavior_hint="(required)")]
    """The compressed files."""
    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """File to write, .png, for a single file; or a folder that exists."""
    model: str | None = None
    """The integer model that a file was compressed with, unless it comes with ride."""
    salvage: bool = False
    """Write what is whole of damaged files."""
    most_pixels: int = 2**28
    """Refuse files that claim larger images."""
    force: bool = False
    """Overwrite files that exist."""

    def run(self) -> None:
        """Decompress the files, several at once."""
        self.start()

        from ride.codec import load_integer
        from ride.codec.decoding import salvage_all

        places = targets(self.files, self.out, ".png", self.force)
        model = load_integer(self.model) if self.model else None
        written = []
        with self.together("decompressing", len(places)) as (progress, say):
            images = salvage_all(
                map(read_compressed, places),
                model,
                most_pixels=self.most_pixels,
                strict=not self.salvage,
                progress=of_total(progress, sum(map(claimed, places)) if progress else 0),
            )
            for source, target in places.items():
                try:
                    pixels, lost = next(images)
                except CodecError as error:
                    raise CodecError(f"cannot decompress {source}: {error}") from error
                written.append(_written(source, target, pixels, lost, say))
        self.give({"files": written})

    def kept(self) -> str:
        """Say what is there."""
        return "what was written is whole; give the files that are left"


def _written(
    source: Path,
    target: Path,
    pixels: "NDArray[Any]",
    lost: list[tuple[slice, slice]],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Write one image, and say so."""
    import numpy as np
    from PIL import Image

    if pixels.ndim == 3 and pixels.dtype != np.uint8:
        raise DataError(f"{source} has RGB of 16 bits, which cannot be written here: use ride.codec.decode")
    with replacing(target) as temporary:
        Image.fromarray(pixels).save(temporary, "png")
    holes = f", with {counted(len(lost), 'tile')} lost" if lost else ""
    say(f"wrote {target}, {pixels.shape[0]} x {pixels.shape[1]} pixels{holes}")
    return {
        "source": str(source),
        "written": str(target),
        "size": list(pixels.shape[:2]),
        "lost": [[rows.start, columns.start, rows.stop, columns.stop] for rows, columns in lost],
    }
