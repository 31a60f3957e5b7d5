"""`ride compress`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ride.atomic import write_bytes
from ride.cli.compressed import targets
from ride.cli.options import Options
from ride.errors import CodecError, DataError

if TYPE_CHECKING:
    from ride.codec import IntegerModel

SUFFIX = ".ride"


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Compress images without loss: gray photographs of 8 bits smaller than any codec in common use.

    Each IMAGE becomes IMAGE.ride beside it, or in the folder --out; the image itself is left alone. What is written
    has been decompressed and compared first. Only pixels are kept, upright: no metadata, colour
    profile or resolution. Images in colour or of 16 bits are kept whole too, but the model was made for gray ones.
    """

    images: Annotated[Positional[tuple[Path, ...]], arg(metavar="IMAGE...", help_behavior_hint="(required)")]
    """The images: gray or RGB, 8 or 16 bits."""
    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """File to write, .ride, for a single image; or a folder that exists."""
    model: str = "bsds300"
    """The integer model: a bundled name or a file that `ride quantize` has made. Decompressing needs the same."""
    tile: int = 512
    """Side of the tiles, 16 to 1024, which are coded independently: damage to a file costs the tile that it hits."""
    verify: bool = True
    """Decompress and compare before writing (--no-verify saves the time)."""
    force: bool = False
    """Overwrite files that exist."""

    def run(self) -> None:
        """Compress each image in turn."""
        self.start()

        from ride.codec import load_integer

        places = targets(self.images, self.out, SUFFIX, self.force)
        model = load_integer(self.model)
        sizes = [self._compress(source, target, model) for source, target in places.items()]
        self.give({"files": sizes, "model": model.digest[:8].hex()})

    def kept(self) -> str:
        """Say what is there."""
        return "what was written is whole; give the images that are left"

    def _compress(self, source: Path, target: Path, model: "IntegerModel") -> dict[str, Any]:
        """Write one file and say how large it is."""
        import numpy as np

        from ride.codec import decode, encode
        from ride.data.files import stored_pixels

        pixels = stored_pixels(source)
        if pixels.dtype.kind != "u":
            raise DataError(f"{source} has pixels of {pixels.dtype}: only integers of 8 or 16 bits can be compressed")
        with self.progress(f"compressing {source.name}") as progress:
            data = encode(pixels, model, side=self.tile, progress=progress)
        if self.verify:
            with self.progress(f"verifying {source.name}") as progress:
                again = decode(data, model, most_pixels=pixels.nbytes, progress=progress)
            if not np.array_equal(again, pixels):
                raise CodecError(f"{source} does not come back from its code, and nothing was written: report this")
        write_bytes(target, data)
        bits = 8 * len(data) / (pixels.shape[0] * pixels.shape[1])
        size = f"{pixels.shape[0]} x {pixels.shape[1]} pixels in {len(data):,} bytes, {bits:.3f} bit/px"
        self.say(f"wrote {target}, {size}{', verified' if self.verify else ''}")
        return {
            "source": str(source),
            "written": str(target),
            "size": list(pixels.shape[:2]),
            "bytes": len(data),
            "bits_per_pixel": bits,
            "verified": self.verify,
        }
