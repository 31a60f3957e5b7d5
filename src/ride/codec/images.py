"""Lossless compression of images: from pixels to bytes and back."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ride.codec.container import DEFAULT_SIDE, NO_MODEL, SIDES, Entry, Info, Kind, boxes, join, parse
from ride.codec.integer import IntegerModel
from ride.codec.integer_files import bundled_integers, load_integer
from ride.codec.planes import merge, split
from ride.codec.tiles import Coded, restored, shortest
from ride.errors import CodecError, ConfigError
from ride.progress import Progress

Levels = NDArray[np.uint8]
Item = TypeVar("Item")
MOST_PIXELS = 2**28
"""What `decode` believes a file, unless told otherwise."""
TOGETHER = 2**19
"""Pixels of the tiles that are coded at once."""


def encode(
    image: NDArray[Any],
    model: IntegerModel | str = "bsds300",
    *,
    side: int = DEFAULT_SIDE,
    progress: Progress | None = None,
) -> bytes:
    """Compress an image without loss.

    Args:
        image: pixels [H, W] or [H, W, 3] of uint8 or uint16.
        model: an integer model, its file or the name of a bundled one; `decode` needs the same.
        side: of the tiles, 16 to 1024, which are coded independently: damage stays within one.
        progress: called with the bytes of the pixels that are coded, and all.

    Raises:
        DataError: the image has another shape or type, or no pixels.
        ConfigError: a side that makes no sense.
        ModelError: the model cannot be read.
    """
    planes = split(image)
    if not SIDES[0] <= side <= SIDES[1]:
        raise ConfigError(f"the side of a tile must be {SIDES[0]} to {SIDES[1]}, not {side}")
    integers = load_integer(model) if isinstance(model, str) else model
    rows, columns = image.shape[:2]
    tiles = [np.ascontiguousarray(plane[box]) for plane in planes for box in boxes(rows, columns, side)]
    coded: list[Coded] = []
    done = 0
    for group in _grouped(tiles, [tile.size for tile in tiles]):
        size = sum(tile.size for tile in group)
        coded += shortest(integers, group, _part(progress, done, size, planes.size))
        done += size
        if progress:
            progress(done, planes.size)
    entries = tuple(
        Entry(kind, len(stream), zlib.crc32(stream), zlib.crc32(tile.tobytes()))
        for (kind, stream), tile in zip(coded, tiles, strict=True)
    )
    used = any(entry.kind >= Kind.MODEL for entry in entries)
    depth, channels = 8 * image.dtype.itemsize, 1 if image.ndim == 2 else 3
    info = Info(rows, columns, side, depth, channels, integers.digest[:8] if used else NO_MODEL, entries)
    return join(info, [stream for _, stream in coded])


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
        progress: called with the bytes of the pixels that are decoded, and all.

    Raises:
        CodecError: the data are not intact, not from `encode`, or for another model.
        ModelError: the model cannot be read.
    """
    image, damaged = salvage(data, model, most_pixels=most_pixels, progress=progress, strict=True)
    assert not damaged
    return image


def salvage(
    data: bytes,
    model: IntegerModel | str | None = None,
    *,
    most_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
    strict: bool = False,
) -> tuple[NDArray[Any], list[tuple[slice, slice]]]:
    """What can be decoded of a damaged file, and the boxes of the tiles that are lost, where it is 0.

    Arguments and errors are those of `decode`; header and table have to be intact, and with `strict` all tiles.
    """
    info = parse(data, most_pixels)
    # The same boxes for each of the planes.
    places = list(boxes(info.rows, info.columns, info.side)) * info.planes
    integers = _model_of(info, model)
    planes = np.zeros((info.planes, info.rows, info.columns), np.uint8)
    in_plane = len(places) // info.planes
    sizes = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in places]
    starts = np.cumsum([info.start, *(entry.size for entry in info.tiles)]).tolist()
    if strict and starts[-1] != len(data):
        raise CodecError(f"the file is {'truncated' if starts[-1] > len(data) else 'longer than it claims'}")
    whole = [_whole(data[start : start + entry.size], entry) for start, entry in zip(starts, info.tiles, strict=False)]
    if strict and not all(whole):
        raise CodecError(_damaged(places[whole.index(False)]))
    lost, done = [], 0
    for group in _grouped(range(len(places)), [rows * columns for rows, columns in sizes]):
        streams = [data[starts[k] : starts[k + 1]] for k in group]
        pixels = sum(sizes[k][0] * sizes[k][1] for k in group)
        part = _part(progress, done, pixels, planes.size)
        tiles = _decoded(integers, [info.tiles[k] for k in group], streams, [sizes[k] for k in group], part)
        for k, tile in zip(group, tiles, strict=True):
            if tile is None:
                lost.append(k)
            else:
                planes[k // in_plane][places[k]] = tile
        done += pixels
        if strict and lost:
            raise CodecError(_damaged(places[lost[0]]))
        if progress:
            progress(done, planes.size)
    image = merge(planes, info.channels)
    holes = sorted({k % in_plane for k in lost})
    for k in holes:
        image[places[k]] = 0
    return image, [places[k] for k in holes]


def _decoded(
    model: IntegerModel | None,
    entries: list[Entry],
    streams: list[bytes],
    sizes: list[tuple[int, int]],
    progress: Progress | None,
) -> list[Levels | None]:
    """Tiles that are what was encoded, None for others."""
    tiles: list[Levels | None] = [None] * len(entries)
    whole = [k for k, entry in enumerate(entries) if _whole(streams[k], entry)]
    coded = [Coded(entries[k].kind, streams[k]) for k in whole]
    for k, tile in zip(whole, restored(model, coded, [sizes[k] for k in whole], progress), strict=True):
        if not isinstance(tile, CodecError) and zlib.crc32(tile.tobytes()) == entries[k].pixel_crc:
            tiles[k] = tile
    return tiles


def _part(progress: Progress | None, before: int, pixels: int, total: int) -> Progress | None:
    """Progress of a group as that of the image; steps count alike."""
    if progress is None:
        return None
    return lambda done, steps, message="": progress(before + pixels * done // steps, total)


def _whole(stream: bytes, entry: Entry) -> bool:
    return len(stream) == entry.size and zlib.crc32(stream) == entry.stream_crc


def _damaged(place: tuple[slice, slice]) -> str:
    rows, columns = place
    return (
        f"the file is damaged in the tile of rows {rows.start} to {rows.stop - 1}"
        f" and columns {columns.start} to {columns.stop - 1}"
    )


def _model_of(info: Info, given: IntegerModel | str | None) -> IntegerModel | None:
    """The model that a file names, None where it names none."""
    if info.model == NO_MODEL:
        if any(entry.kind >= Kind.MODEL for entry in info.tiles):
            raise CodecError("the file is damaged: it names no model for tiles that need one")
        return None
    candidates = bundled_integers() if given is None else [given]
    for candidate in candidates:
        model = load_integer(candidate) if isinstance(candidate, str) else candidate
        if model.digest[:8] == info.model:
            return model
    what = "the given one is another" if given is not None else "none that comes with ride is that: give it"
    raise CodecError(f"the file was compressed with the model {info.model.hex()}, and {what}")


def _grouped(items: Sequence[Item], sizes: Sequence[int]) -> Iterator[list[Item]]:
    """Consecutive items in groups of at most TOGETHER pixels, or one."""
    group: list[Item] = []
    total = 0
    for item, size in zip(items, sizes, strict=True):
        if group and total + size > TOGETHER:
            yield group
            group, total = [], 0
        group.append(item)
        total += size
    yield group
