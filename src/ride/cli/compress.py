"""`ride compress`."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ride.cli.compressed import Together, of_total, readable, targets, written_like
from ride.errors import CodecError, DataError, RideError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = ".ride"


@dataclass(frozen=True, kw_only=True)
class Command(Together):
    """Compress images without loss: photographs of 8 bits in gray or colour, most of them in fewer bytes than JPEG XL.

    Each NAME.png becomes NAME.ride beside it, or in the folder --out; the image itself is left alone. What is written
    has been decompressed and compared first. Many images are faster than one by one; files that cannot be compressed
    are named, and the others are. Only pixels are kept, upright: no metadata, colour profile or resolution. A file of
    which something else would be lost, such as several images, more bits or other colours than gray and RGB, is
    refused. Images of 16 bits are kept whole too, but the models were made for 8.
    """

    images: Annotated[Positional[tuple[Path, ...]], arg(metavar="IMAGE...", help_behavior_hint="(required)")]
    """The images: gray or RGB, 8 or 16 bits; RGB of 16 bits as .npy."""
    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """File to write, .ride, for a single image; or a folder that exists."""
    model: str = "bsds300"
    """The integer model: bsds300, bsds300-fast or a file of `ride quantize`. Decompressing needs the same."""
    tile: int = 512
    """Side of the tiles, 16 to 1024, which are coded independently: damage to a file costs the tile that it hits."""
    turns: int = 1
    """Try each tile in so many of the 8 ways to flip and transpose it, and keep the shortest: 8 takes about 8 times as
    long to compress and no longer to decompress, and gains little on most images."""
    verify: bool = True
    """Before a file is written it is decompressed and compared; --no-verify saves the time."""
    force: bool = False
    """Overwrite files that exist."""

    def run(self) -> None:
        """Compress the images, several at once."""
        self.start()

        from ride.codec import encode_all, load_integer
        from ride.data.stored import stored_bytes

        places = targets(self.images, self.out, (SUFFIX,), self.force)
        model = load_integer(self.model)
        sizes = []
        taken: deque[Path] = deque()
        refused: list[RideError] = []
        with self.together("compressing", len(places)) as (progress, say):
            total = sum(map(stored_bytes, places)) * (2 if self.verify else 1) if progress else 0
            pixels = readable(places, _pixels, taken, refused)
            tell = of_total(progress, total)
            files = encode_all(pixels, model, side=self.tile, turns=self.turns, verify=self.verify, progress=tell)
            while (data := _next(files, taken)) is not None:
                source = taken.popleft()
                with written_like(source, places[source], self.force) as temporary:
                    temporary.write_bytes(data)
                sizes.append(self._said(source, places[source], data, say))
        self.finish({"files": sizes, "model": model.digest[:8].hex()}, refused, len(places), "compressed")

    def kept(self) -> str:
        """Say what is there."""
        return "what was written is whole; give the images that are left"

    def _said(self, source: Path, target: Path, data: bytes, say: Callable[[str], None]) -> dict[str, Any]:
        """Say how large a file is that was written."""
        from ride.codec import parse

        info = parse(data, None)
        bits = 8 * len(data) / (info.rows * info.columns)
        size = f"{info.rows} x {info.columns} pixels in {len(data):,} bytes, {bits:.3f} bit/px"
        say(f"wrote {target}, {size}{', verified' if self.verify else ''}")
        return {
            "source": str(source),
            "written": str(target),
            "size": [info.rows, info.columns],
            "bytes": len(data),
            "bits_per_pixel": bits,
            "verified": self.verify,
            "model": info.model.hex(),
        }


def _next(files: Iterator[bytes], taken: "deque[Path]") -> bytes | None:
    """The code of the first image that was taken, None where there are no more."""
    try:
        return next(files, None)
    except CodecError as error:
        raise CodecError(f"cannot compress {taken[0]}, and nothing was written: {error}") from error


def _pixels(source: Path) -> "NDArray[Any]":
    """The pixels of a picture, of integers."""
    import numpy as np

    from ride.data.stored import stored_pixels

    pixels = stored_pixels(source)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{source} has pixels of {pixels.dtype}: only integers of 8 or 16 bits can be compressed")
    return pixels
