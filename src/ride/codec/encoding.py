"""Lossless compression of images: from pixels to bytes."""

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ride.codec.container import DEFAULT_SIDE, NO_MODEL, SIDES, Entry, Info, Kind, boxes, join
from ride.codec.decoding import parts_of
from ride.codec.integer import IntegerModel
from ride.codec.integer_files import load_integer
from ride.codec.planes import Layout, layout_of, listed, split
from ride.codec.tiles import Coded, Given, constant, implied, shortest
from ride.codec.together import grouped, in_rounds
from ride.codec.turns import TURNS
from ride.errors import CodecError, ConfigError
from ride.progress import Progress, part_of

Levels = NDArray[np.uint8]
PART = 48
"""Rows and columns of the parts of a tile by which the model of a plane is chosen."""


def encode(
    image: NDArray[Any],
    model: IntegerModel | str = "bsds300",
    *,
    side: int = DEFAULT_SIDE,
    turns: int = 1,
    progress: Progress | None = None,
) -> bytes:
    """Compress an image without loss.

    Args:
        image: pixels [H, W] or [H, W, 3] of uint8 or uint16.
        model: an integer model, its file or the name of a bundled one; `decode` needs the same.
        side: of the tiles, 16 to 1024, which are coded independently: damage stays within one.
        turns: try the model on each tile in the first so many of 8 ways to flip and transpose it, and keep the
            shortest code; encoding takes so many times as long, decoding no longer.
        progress: called with the bytes of the pixels that are coded, and all; perhaps from another thread.

    Raises:
        DataError: the image has another shape or type, or no pixels.
        ConfigError: a side or a number of turns that makes no sense.
        ModelError: the model cannot be read.
    """
    tell = _of_all(progress, image) if progress else None
    (data,) = encode_all([image], model, side=side, turns=turns, progress=tell)
    return data


def encode_all(
    images: Iterable[NDArray[Any]],
    model: IntegerModel | str = "bsds300",
    *,
    side: int = DEFAULT_SIDE,
    turns: int = 1,
    verify: bool = False,
    progress: Progress | None = None,
) -> Iterator[bytes]:
    """Compress images, several at once and on all of torch's threads; the bytes are those that `encode` gives each.

    Images are taken as they are needed, and may be many: as many are in memory as are coded at once.

    Args:
        images: see `encode`.
        model: see `encode`.
        side: see `encode`.
        turns: see `encode`.
        verify: decode each again, and compare, before it is returned.
        progress: called with the bytes of the pixels that are coded (and then those that are decoded again), and of
            all in the images taken so far (twice if they are decoded again).

    Raises:
        DataError: an image has another shape or type, or no pixels; those before it are returned first.
        ConfigError: a side or a number of turns that makes no sense.
        ModelError: the model cannot be read.
        CodecError: an image does not come back, which is a fault of this program.
    """
    if not SIDES[0] <= side <= SIDES[1]:
        raise ConfigError(f"the side of a tile must be {SIDES[0]} to {SIDES[1]}, not {side}")
    if not 1 <= turns <= TURNS:
        raise ConfigError(f"the number of turns must be 1 to {TURNS}, not {turns}")
    integers = load_integer(model) if isinstance(model, str) else model
    if integers.neighborhood.given:
        raise ConfigError("this is a model of one plane of colour given others: it codes no image alone")
    run = _verified if verify else _encoded
    return run(images, integers, side, turns, progress)


class _Tile(NamedTuple):
    """A tile of one of the planes of an image, its model, what that is given, and whether it could be given more."""

    file: "_File"
    pixels: Levels
    model: IntegerModel
    given: Given
    alone: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass
class _File:
    """What becomes of an image, tile by tile: all planes of the first, then those of the next."""

    rows: int
    columns: int
    layout: Layout
    side: int
    count: int
    coded: list[Coded] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def add(self, pixels: Levels, coded: Coded) -> None:
        self.coded.append(coded)
        self.entries.append(
            Entry(coded.kind, len(coded.stream), zlib.crc32(coded.stream), zlib.crc32(pixels.tobytes()), coded.turn)
        )

    def to_bytes(self, model: IntegerModel) -> bytes:
        """The file, in which all tiles of a plane come before those of the next."""
        layout, planes = self.layout, self.layout.planes
        order = [k for plane in range(planes) for k in range(plane, self.count, planes)]
        entries = tuple(self.entries[k] for k in order)
        used = any(entry.kind >= Kind.MODEL for entry in entries)
        digest = model.name(planes) if used else NO_MODEL
        lists = listed(layout)
        info = Info(self.rows, self.columns, self.side, layout.depth, layout.channels, digest, entries, lists)
        return join(info, [self.coded[k].stream for k in order])


def _encoded(
    images: Iterable[NDArray[Any]], model: IntegerModel, side: int, turns: int, progress: Progress | None
) -> Iterator[bytes]:
    def work(tiles: list[_Tile], tell: Progress | None) -> list[Coded]:
        coded: dict[int, Coded] = {}
        tiles = _chosen(tiles, model)
        groups = grouped([tile.model for tile in tiles])
        for number, (of, own) in enumerate(groups):
            pixels, given = [tiles[k].pixels for k in own], [tiles[k].given for k in own]
            coded |= zip(
                own, shortest(of, pixels, given, part_of(tell, number, len(groups)), turns=turns), strict=True
            )
        found = [coded[k] for k in range(len(tiles))]
        return [
            one._replace(kind=one.kind.alone) if tile.alone else one for tile, one in zip(tiles, found, strict=True)
        ]

    for tile, coded in in_rounds(_tiles(images, model, side), work, progress):
        tile.file.add(tile.pixels, coded)
        if len(tile.file.coded) == tile.file.count:
            yield tile.file.to_bytes(model)


def _chosen(tiles: list[_Tile], first: IntegerModel) -> list[_Tile]:
    """The same tiles, those of which parts say that the model of the first plane codes them better with that one."""
    chosen = list(tiles)
    for model, of_model in grouped([tile.model for tile in tiles]):
        # No model codes a tile of one level.
        own = [k for k in of_model if not constant(tiles[k].pixels)]
        if not model.neighborhood.given or not own:
            continue
        parts = [part for k in own for part in _parts(tiles[k].pixels)]
        given = [part for k in own for part in zip(*map(_parts, tiles[k].given), strict=True)]
        saved = np.subtract(implied(model, parts, given), implied(first, parts, [()] * len(parts)))
        for k, bits in zip(own, saved.reshape(len(own), -1).sum(1), strict=True):
            if bits > 0:
                chosen[k] = tiles[k]._replace(model=first, given=(), alone=True)
    return chosen


def _parts(plane: Levels) -> list[Levels]:
    """Four parts of a plane, which are coded in two ways to see which is shorter."""
    starts = [
        [min(max(0, length * quarter // 4 - PART // 2), max(0, length - PART)) for quarter in (1, 3)]
        for length in plane.shape
    ]
    return [
        np.ascontiguousarray(plane[top : top + PART, left : left + PART]) for top in starts[0] for left in starts[1]
    ]


def _tiles(images: Iterable[NDArray[Any]], model: IntegerModel, side: int) -> Iterator[_Tile]:
    """Planes are made tile by tile, for those of a whole large image would need its memory again."""
    for image in images:
        layout, (rows, columns) = layout_of(image), image.shape[:2]
        places = list(boxes(rows, columns, side))
        file = _File(rows, columns, layout, side, len(places) * layout.planes)
        models = model.of_planes(layout.planes)
        for place in places:
            planes = split(image[place], layout)
            for plane, of in zip(planes, models, strict=True):
                yield _Tile(file, plane, of, tuple(planes[: of.neighborhood.given]))


def _verified(
    images: Iterable[NDArray[Any]], model: IntegerModel, side: int, turns: int, progress: Progress | None
) -> Iterator[bytes]:
    """Code images and, as soon as some are coded, decode and compare these."""
    waiting: deque[NDArray[Any]] = deque()
    files: deque[bytes] = deque()
    counts = [0, 0, 0]

    def taken() -> Iterator[NDArray[Any]]:
        for image in images:
            waiting.append(image)
            yield image

    def kept() -> Iterator[bytes]:
        for data in _encoded(taken(), model, side, turns, _counting(progress, counts, 0)):
            files.append(data)
            yield data

    for part in parts_of(kept(), model, most_pixels=None, progress=_counting(progress, counts, 1)):
        if part.pixels is None or not np.array_equal(part.pixels, waiting[0][part.place]):
            raise CodecError("it does not come back from its code: report this")
        if part.last:
            waiting.popleft()
            yield files.popleft()


def _counting(progress: Progress | None, counts: list[int], which: int) -> Progress | None:
    """The progress of encoding (0) or decoding (1) as that of both; the last of the counts is of all images."""
    if progress is None:
        return None

    def tell(done: int, total: int, message: str = "") -> None:
        counts[which], counts[2] = done, max(total, counts[2])
        progress(counts[0] + counts[1], 2 * counts[2])

    return tell


def _of_all(progress: Progress, image: NDArray[Any]) -> Progress:
    """Progress with a total that is known from the beginning."""
    total = layout_of(image).planes * image.shape[0] * image.shape[1]
    return lambda done, known, message="": progress(done, total)
