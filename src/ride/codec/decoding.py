"""Lossless compression of images: from bytes to pixels."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ride.codec.container import NO_MODEL, Entry, Info, Kind, boxes, parse
from ride.codec.integer import IntegerModel
from ride.codec.integer_files import bundled_integers, load_integer
from ride.codec.planes import KINDS, merge
from ride.codec.tiles import Coded, restored
from ride.codec.together import in_rounds
from ride.errors import CodecError
from ride.progress import Progress

Levels = NDArray[np.uint8]
Box = tuple[slice, slice]
MOST_PIXELS = 2**28
"""What `decode` believes a file, unless told otherwise."""


def decode(
    data: bytes,
    model: IntegerModel | str | None = None,
    *,
    most_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """The image [H, W] or [H, W, 3] that `encode` compressed, bit for bit.

    Args:
        data: the bytes.
        model: the integer model that it was encoded with or its file; the bundled ones are tried unless given.
        most_pixels: larger images are refused, each channel counted, and twice where it has 16 bits.
        progress: called with the bytes of the pixels that are decoded, and all; perhaps from another thread.

    Raises:
        CodecError: the data are not intact, not from `encode`, or for another model.
        ModelError: the model cannot be read.
    """
    (image,) = decode_all([data], model, most_pixels=most_pixels, progress=progress)
    return image


def decode_all(
    files: Iterable[bytes],
    model: IntegerModel | str | None = None,
    *,
    most_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
) -> Iterator[NDArray[Any]]:
    """The images of files, several decoded at once and on all of torch's threads.

    Files are taken as they are needed. Arguments and errors are those of `decode`; `progress` is called with the bytes
    of the pixels in all files taken so far. Of a file that is damaged all before it are returned first.
    """
    for image, _ in salvage_all(files, model, most_pixels=most_pixels, strict=True, progress=progress):
        yield image


def salvage(
    data: bytes,
    model: IntegerModel | str | None = None,
    *,
    most_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
) -> tuple[NDArray[Any], list[Box]]:
    """What can be decoded of a damaged file, and the boxes of the tiles that are lost, where it is 0.

    Arguments and errors are those of `decode`; only header and table have to be intact.
    """
    (found,) = salvage_all([data], model, most_pixels=most_pixels, progress=progress)
    return found


def salvage_all(
    files: Iterable[bytes],
    model: IntegerModel | str | None = None,
    *,
    most_pixels: int = MOST_PIXELS,
    strict: bool = False,
    progress: Progress | None = None,
) -> Iterator[tuple[NDArray[Any], list[Box]]]:
    """`salvage` of each file, several at once; with `strict` what is lost is an error, as in `decode_all`."""
    image: NDArray[Any] = np.zeros((0, 0), np.uint8)
    lost: list[Box] = []
    for part in parts_of(files, model, most_pixels=most_pixels, strict=strict, progress=progress):
        if part.first:
            info = part.info
            shape = (info.rows, info.columns) if info.channels == 1 else (info.rows, info.columns, 3)
            image, lost = np.zeros(shape, KINDS[info.depth]), []
        if part.pixels is None:
            lost.append(part.place)
        else:
            image[part.place] = part.pixels
        if part.last:
            yield image, lost


class Part(NamedTuple):
    """The pixels in a box of the image of a file, None where they are lost; whether it is the first or the last."""

    info: Info
    place: Box
    pixels: NDArray[Any] | None
    first: bool
    last: bool


def parts_of(
    files: Iterable[bytes],
    model: IntegerModel | str | None,
    *,
    most_pixels: int | None = MOST_PIXELS,
    strict: bool = False,
    progress: Progress | None = None,
) -> Iterator[Part]:
    """The images of files in boxes, in order, so that none has to be in memory as a whole.

    Errors are those of `decode_all`; with `strict` a box that is lost is one.
    """
    planes: list[Levels | None] = []
    for tile, pixels in in_rounds(_tiles(files, model, most_pixels, strict), _decoded, progress):
        planes.append(pixels)
        if len(planes) < tile.info.planes:
            continue
        whole = [plane for plane in planes if plane is not None]
        if strict and len(whole) < len(planes):
            raise CodecError(_damaged(tile.place))
        found = None
        if len(whole) == len(planes):
            try:
                found = merge(np.stack(whole), tile.info.layout)
            except CodecError:
                if strict:
                    raise CodecError(_damaged(tile.place)) from None
        rows, columns = tile.place
        first = not (rows.start or columns.start)
        last = (rows.stop, columns.stop) == (tile.info.rows, tile.info.columns)
        planes = []
        yield Part(tile.info, tile.place, found, first, last)


class _Tile(NamedTuple):
    """A tile of a plane as it lies in a file."""

    info: Info
    model: IntegerModel | None
    place: Box
    entry: Entry
    stream: bytes

    @property
    def size(self) -> tuple[int, int]:
        rows, columns = self.place
        return rows.stop - rows.start, columns.stop - columns.start


def _tiles(
    files: Iterable[bytes], model: IntegerModel | str | None, most_pixels: int | None, strict: bool
) -> Iterator[_Tile]:
    """The tiles of all planes in the first box, then those in the next."""
    models = _Models(model)
    for data in files:
        info = parse(data, most_pixels)
        integers = models.named(info)
        starts = np.cumsum([info.start, *(entry.size for entry in info.tiles)]).tolist()
        if strict and starts[-1] != len(data):
            raise CodecError(f"the file is {'truncated' if starts[-1] > len(data) else 'longer than it claims'}")
        count = len(info.tiles) // info.planes
        for number, place in enumerate(boxes(info.rows, info.columns, info.side)):
            for k in range(number, len(info.tiles), count):
                yield _Tile(info, integers, place, info.tiles[k], data[starts[k] : starts[k + 1]])


def _decoded(tiles: list[_Tile], progress: Progress | None) -> list[Levels | None]:
    """Tiles that are what was encoded, None for others."""
    found: list[Levels | None] = [None] * len(tiles)
    whole = [k for k, tile in enumerate(tiles) if _whole(tile.stream, tile.entry)]
    # Files may name different models.
    for model in {id(tiles[k].model): tiles[k].model for k in whole}.values():
        own = [k for k in whole if tiles[k].model is model]
        coded = [Coded(tiles[k].entry.kind, tiles[k].stream, tiles[k].entry.turn) for k in own]
        for k, pixels in zip(own, restored(model, coded, [tiles[k].size for k in own], progress), strict=True):
            if not isinstance(pixels, CodecError) and zlib.crc32(pixels.tobytes()) == tiles[k].entry.pixel_crc:
                found[k] = pixels
    return found


def _whole(stream: bytes, entry: Entry) -> bool:
    return len(stream) == entry.size and zlib.crc32(stream) == entry.stream_crc


def _damaged(place: Box) -> str:
    rows, columns = place
    return (
        f"the file is damaged in the tile of rows {rows.start} to {rows.stop - 1}"
        f" and columns {columns.start} to {columns.stop - 1}"
    )


class _Models:
    """The models that files name, each read once: the given one, or those that come with the package."""

    def __init__(self, given: IntegerModel | str | None) -> None:
        self.given = given
        self._read: list[IntegerModel] | None = None

    def named(self, info: Info) -> IntegerModel | None:
        """The model that a file names, None where it names none.

        Raises:
            CodecError: it is another, or the file is damaged.
        """
        if info.model == NO_MODEL:
            if any(entry.kind >= Kind.MODEL for entry in info.tiles):
                raise CodecError("the file is damaged: it names no model for tiles that need one")
            return None
        if self._read is None:
            candidates = bundled_integers() if self.given is None else [self.given]
            self._read = [load_integer(one) if isinstance(one, str) else one for one in candidates]
        for model in self._read:
            if model.digest[:8] == info.model:
                return model
        what = "the given one is another" if self.given is not None else "none that comes with ride is that: give it"
        raise CodecError(f"the file was compressed with the model {info.model.hex()}, and {what}")
