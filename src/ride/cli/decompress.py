"""`ride decompress`."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ride.cli.compressed import Together, claimed, of_total, read_compressed, readable, targets, written_like
from ride.errors import CodecError, DataError, RideError
from ride.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Command(Together):
    """Write the images that `ride compress` compressed, as PNG or .npy, pixel for pixel.

    Every tile is compared with its checksum. Files that are damaged are named, and the others are written; with
    --salvage the tiles of damaged ones that are whole are written too, the others black, unless none is.
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
    """Refuse files that claim larger images: each channel counts, and twice where it has 16 bits of
    more than 256 levels."""
    force: bool = False
    """Overwrite files that exist."""

    def run(self) -> None:
        """Decompress the files, several at once."""
        self.start()

        from ride.codec import load_integer
        from ride.codec.decoding import Models, salvage_all

        places = targets(self.files, self.out, (".png", ".npy"), self.force)
        model = load_integer(self.model) if self.model else None
        models = Models(model)

        def read(source: Path) -> bytes:
            data = read_compressed(source)
            try:
                models.opened(data, self.most_pixels, strict=not self.salvage)
            except CodecError as error:
                raise CodecError(f"cannot decompress {source}: {error}") from error
            return data

        written = []
        taken: deque[Path] = deque()
        refused: list[RideError] = []
        with self.together("decompressing", len(places)) as (progress, say):
            for pixels, lost in salvage_all(
                readable(places, read, taken, refused),
                model,
                most_pixels=self.most_pixels,
                progress=of_total(progress, sum(map(claimed, places)) if progress else 0),
            ):
                source = taken.popleft()
                try:
                    written.append(self._written(source, places[source], pixels, lost, say))
                except (CodecError, DataError) as error:
                    refused.append(error)
        self.finish({"files": written}, refused, len(places), "decompressed")

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

        from ride.codec.decoding import damaged

        if lost and not self.salvage:
            raise CodecError(f"cannot decompress {source}: {damaged(lost[0])}; --salvage writes what is whole")
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
                # By its name NumPy would write into another file where the suffix is not .npy in small letters.
                with temporary.open("wb") as file:
                    np.save(file, pixels)
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
