"""`ride decompress`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ride.cli.compressed import Together, claimed, of_total, read_compressed, targets, written_like
from ride.cli.options import counted
from ride.errors import CodecError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Command(Together):
    """Write the images that `ride compress` compressed, as PNG or .npy, pixel for pixel.

    Every tile is compared with its checksum. A damaged file is refused; with --salvage the tiles that are whole are
    written, the others black, unless none is.
    """

    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE.ride...", help_behavior_hint="(required)")]
    """The compressed files."""
    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """File to write, .png or .npy, for a single file; or a folder that exists. RGB of 16 bits needs .npy."""
    model: str | None = None
    """The integer model that a file was compressed with, unless it comes with ride."""
    salvage: bool = False
    """Write what is whole of damaged files."""
    most_pixels: int = 2**30
    """Refuse files that claim larger images: each channel counts, and twice where it has 16 bits."""
    force: bool = False
    """Overwrite files that exist."""

    def run(self) -> None:
        """Decompress the files, several at once."""
        self.start()

        from ride.codec import load_integer
        from ride.codec.decoding import salvage_all

        places = targets(self.files, self.out, (".png", ".npy"), self.force)
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
                written.append(self._written(source, target, pixels, lost, say))
        self.give({"files": written})

    def kept(self) -> str:
        """Say what is there."""
        return "what was written is whole; give the files that are left"

    def _written(
        self,
        source: Path,
        target: Path,
        pixels: "NDArray[Any]",
        lost: list[tuple[slice, slice]],
        say: Callable[[str], None],
    ) -> dict[str, Any]:
        """Write one image, and say so."""
        import numpy as np
        from PIL import Image

        array = target.suffix.lower() == ".npy"
        if pixels.ndim == 3 and pixels.dtype != np.uint8 and not array:
            raise DataError(f"{source} has RGB of 16 bits, which a .png cannot have here: give --out a name in .npy")
        # A tile may be lost in several planes.
        holes = {(rows.start, columns.start, rows.stop, columns.stop) for rows, columns in lost}
        area = sum((bottom - top) * (right - left) for top, left, bottom, right in holes)
        if area == pixels.shape[0] * pixels.shape[1]:
            raise CodecError(f"cannot decompress {source}, and nothing was written: all its tiles are damaged")
        with written_like(source, target, self.force) as temporary:
            if array:
                np.save(temporary, pixels)
            else:
                Image.fromarray(pixels).save(temporary, "png")
        said = f", with {counted(len(holes), 'tile')} lost" if holes else ""
        say(f"wrote {target}, {pixels.shape[0]} x {pixels.shape[1]} pixels{said}")
        return {
            "source": str(source),
            "written": str(target),
            "size": list(pixels.shape[:2]),
            "lost": sorted(map(list, holes)),
        }
