"""Lossless compression of images: from bytes to pixels."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ride.codec.container import NO_MODEL, Entry, Info, Kind, boxes, parse
from ride.codec.integer import IntegerModel
from ride.codec.integer_files import bundled_integers, load_integer
from ride.codec.planes import KINDS, merge
from ride.codec.tiles import Coded, restored
from ride.codec.together import grouped, in_rounds
from ride.errors import CodecError
from ride.progress import Progress, part_of

Levels = NDArray[np.uint8]
Box = tuple[slice, slice]
MOST_PIXELS = 2**30
"""What `decode` believes a file, unless told otherwise: more than what `ride compress` reads of a picture."""


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
        most_pixels: larger images are refused, each channel counted, and twice where it has 16 bits of more than 256
            levels.
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
    for tile, planes in in_rounds(_tiles(files, model, most_pixels, strict), _decoded, progress):
        found = None
        if planes is not None:
            # Levels that the list does not have.
            with suppress(CodecError):
                found = merge(np.stack(planes), tile.info.layout)
        if strict and found is None:
            raise CodecError(damaged(tile.place))
        rows, columns = tile.place
        first = not (rows.start or columns.start)
        last = (rows.stop, columns.stop) == (tile.info.rows, tile.info.columns)
        yield Part(tile.info, tile.place, found, first, last)


class _Tile(NamedTuple):
    """A tile as it lies in a file: for each plane its entry and stream, and the model that it may need."""

    info: Info
    models: Sequence[IntegerModel | None]
    place: Box
    entries: Sequence[Entry]
    streams: Sequence[bytes]

    def model(self, plane: int) -> IntegerModel | None:
        """What a plane was coded by, if by any."""
        return self.models[plane if self.entries[plane].kind < Kind.ALONE else 0]

    @property
    def box(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.place
        return rows.stop - rows.start, columns.stop - columns.start

    @property
    def size(self) -> tuple[int, int]:
        """Those of all planes one below the other."""
        rows, columns = self.box
        return rows * len(self.entries), columns


def _tiles(
    files: Iterable[bytes], model: IntegerModel | str | None, most_pixels: int | None, strict: bool
) -> Iterator[_Tile]:
    """The tiles of files in order."""
    models = Models(model)
    for data in files:
        info, integers = models.opened(data, most_pixels, strict=strict)
        starts = np.cumsum([info.start, *(entry.size for entry in info.tiles)]).tolist()
        count = len(info.tiles) // info.planes
        for number, place in enumerate(boxes(info.rows, info.columns, info.side)):
            own = range(number, len(info.tiles), count)
            streams = [data[starts[k] : starts[k + 1]] for k in own]
            yield _Tile(info, integers, place, [info.tiles[k] for k in own], streams)


def _decoded(tiles: list[_Tile], progress: Progress | None) -> list[list[Levels] | None]:
    """The planes of tiles that are what was encoded, None for others."""
    found: list[list[Levels]] = [[] for _ in tiles]
    most = max(len(tile.entries) for tile in tiles)
    for plane in range(most):
        # Of the others one before is lost, or there are no more.
        left = [k for k, tile in enumerate(tiles) if len(found[k]) == plane < len(tile.entries)]
        left = [k for k in left if _whole(tiles[k].streams[plane], tiles[k].entries[plane])]
        groups = grouped([tiles[k].model(plane) for k in left])
        for number, (model, own) in enumerate(groups):
            part = part_of(part_of(progress, plane, most), number, len(groups))
            _decode_plane(model, plane, [left[k] for k in own], tiles, found, part)
    return [planes if len(planes) == len(tile.entries) else None for tile, planes in zip(tiles, found, strict=True)]


def _decode_plane(
    model: IntegerModel | None,
    plane: int,
    numbers: list[int],
    tiles: list[_Tile],
    found: list[list[Levels]],
    progress: Progress | None,
) -> None:
    """Add a plane to what was found of some tiles, where it is what was encoded."""
    entries = [tiles[k].entries[plane] for k in numbers]
    coded = [
        Coded(entry.kind.way, tiles[k].streams[plane], entry.turn) for k, entry in zip(numbers, entries, strict=True)
    ]
    count = model.neighborhood.given if model else 0
    given = [tuple(found[k][:count]) for k in numbers]
    restored_ = restored(model, coded, [tiles[k].box for k in numbers], given, progress)
    for k, entry, pixels in zip(numbers, entries, restored_, strict=True):
        if not isinstance(pixels, CodecError) and zlib.crc32(pixels.tobytes()) == entry.pixel_crc:
            found[k].append(pixels)


def _whole(stream: bytes, entry: Entry) -> bool:
    return len(stream) == entry.size and zlib.crc32(stream) == entry.stream_crc


def damaged(place: Box) -> str:
    """What is said of a file of which this box is lost."""
    rows, columns = place
    return (
        f"the file is damaged in the tile of rows {rows.start} to {rows.stop - 1}"
        f" and columns {columns.start} to {columns.stop - 1}"
    )


class Models:
    """The models that files name, each read once: the given one, or those that come with the package."""

    def __init__(self, given: IntegerModel | str | None) -> None:
        self.given = given
        self._read: list[IntegerModel] | None = None

    def opened(
        self, data: bytes, most_pixels: int | None, *, strict: bool
    ) -> tuple[Info, Sequence[IntegerModel | None]]:
        """What a file says of itself, and the models of its planes.

        Raises:
            CodecError: header or table are damaged, it claims more pixels, needs another model or, with `strict`, has
                not the length that it claims.
        """
        info = parse(data, most_pixels)
        models = self.of_planes(info)
        length = info.start + sum(entry.size for entry in info.tiles)
        if strict and length != len(data):
            raise CodecError(f"the file is {'truncated' if length > len(data) else 'longer than it claims'}")
        return info, models

    def of_planes(self, info: Info) -> Sequence[IntegerModel | None]:
        """The models of the planes of a file, None where it names none.

        Raises:
            CodecError: it is another, or the file is damaged.
        """
        if info.model == NO_MODEL:
            if any(entry.kind >= Kind.MODEL for entry in info.tiles):
                raise CodecError("the file is damaged: it names no model for tiles that need one")
            return [None] * info.planes
        if self._read is None:
            candidates = bundled_integers() if self.given is None else [self.given]
            self._read = [load_integer(one) if isinstance(one, str) else one for one in candidates]
        # A model of a plane given others codes no image alone.
        for model in (model for model in self._read if not model.neighborhood.given):
            if info.model == model.name(info.planes):
                return model.of_planes(info.planes)
            if info.model == model.digest[:8]:
                # Written by it when it had no models of colours.
                return (model,) * info.planes
        what = "the given one is another" if self.given is not None else "none that comes with ride is that: give it"
        raise CodecError(f"the file was compressed with the model {info.model.hex()}, and {what}")
