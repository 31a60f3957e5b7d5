"""`ride decompress`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ride.cli.compressed import read_compressed, targets
from ride.cli.options import Options, counted
from ride.errors import CodecError, DataError

if TYPE_CHECKING:
    from ride.codec import IntegerModel


@dataclass(frozen=True, kw_only=True)
class Command(Options):
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
        """Decompress each file in turn."""
        self.start()

        from ride.codec import load_integer

        places = targets(self.files, self.out, ".png", self.force)
        model = load_integer(self.model) if self.model else None
        self.give({"files": [self._decompress(source, target, model) for source, target in places.items()]})

    def kept(self) -> str:
        """Say what is there."""
        return "what was written is whole; give the files that are left"

    def _decompress(self, source: Path, target: Path, model: "IntegerModel | None") -> dict[str, Any]:
        """Write one image."""
        import numpy as np
        from PIL import Image

        from ride.atomic import replacing
        from ride.codec import salvage

        data = read_compressed(source)
        try:
            with self.progress(f"decompressing {source.name}") as progress:
                pixels, lost = salvage(
                    data, model, most_pixels=self.most_pixels, progress=progress, strict=not self.salvage
                )
        except CodecError as error:
            raise CodecError(f"cannot decompress {source}: {error}") from error
        if pixels.ndim == 3 and pixels.dtype != np.uint8:
            raise DataError(f"{source} has RGB of 16 bits, which cannot be written here: use ride.codec.decode")
        with replacing(target) as temporary:
            Image.fromarray(pixels).save(temporary, "png")
        holes = f", with {counted(len(lost), 'tile')} lost" if lost else ""
        self.say(f"wrote {target}, {pixels.shape[0]} x {pixels.shape[1]} pixels{holes}")
        return {
            "source": str(source),
            "written": str(target),
            "size": list(pixels.shape[:2]),
            "lost": [[rows.start, columns.start, rows.stop, columns.stop] for rows, columns in lost],
        }
