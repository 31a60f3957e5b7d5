"""`ride info`."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ride.cli.compressed import read_compressed
from ride.cli.options import Options
from ride.errors import CodecError
from ride.wording import counted


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Say what a compressed file holds, without decompressing it."""

    file: Annotated[Positional[Path], arg(metavar="FILE.ride")]
    """The compressed file."""

    def run(self) -> None:
        """Read the header and say it."""
        self.start()

        from ride.codec import bundled_integers, load_integer, parse

        data = read_compressed(self.file)
        try:
            info = parse(data, sys.maxsize)
        except CodecError as error:
            raise CodecError(f"cannot read {self.file}: {error}") from error
        bundled = [(name, load_integer(name)) for name in bundled_integers()]
        names = {known: name for name, model in bundled for known in (model.digest[:8], model.name(info.planes))}
        named = names.get(info.model, info.model.hex()) if any(info.model) else None
        kinds = Counter(tile.kind.name.lower().replace("_", " ") for tile in info.tiles)
        turned = sum(tile.turn > 0 for tile in info.tiles)
        bits = 8 * len(data) / (info.rows * info.columns)
        whole = info.start + sum(tile.size for tile in info.tiles) == len(data)
        colour = "gray" if info.channels == 1 else "RGB"
        levels = None if info.layout.levels is None else len(info.layout.levels)
        few = "" if levels is None else f", {counted(levels, 'level')}"
        self.say(f"{self.file}: {info.rows} x {info.columns} pixels, {colour}, {info.depth} bits{few}")
        doubt = "" if whole else "; truncated, or longer than it says"
        self.say(f"  {len(data):,} bytes, {bits:.3f} bit/px{doubt}")
        self.say(
            f"  {counted(len(info.tiles), 'tile')} of {info.side} x {info.side}: "
            + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
            + (f"; {turned} flipped or transposed" if turned else "")
        )
        self.say(f"  model: {named or 'none needed'}")
        self.give(
            {
                "file": str(self.file),
                "size": [info.rows, info.columns],
                "depth": info.depth,
                "channels": info.channels,
                "bytes": len(data),
                "bits_per_pixel": bits,
                "tile": info.side,
                "tiles": dict(kinds),
                "turned": turned,
                "levels": levels,
                "model": named,
                "digest": info.model.hex(),
                "whole": whole,
            }
        )
