"""Commands whose result depends on a seed, most of which read images."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ride.cli.options import Options
from ride.errors import ConfigError

if TYPE_CHECKING:
    from ride.data import Picture
    from ride.models.ride import RIDEConfig


@dataclass(frozen=True, kw_only=True)
class Seeded(Options):
    """A command with a seed."""

    seed: int = 0
    """Of everything that is drawn at random; the same seed gives the same result."""

    def start(self) -> None:
        """Check `seed` and apply `threads`.

        Raises `ConfigError` for settings that make no sense.
        """
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"--seed must be 0 or more and less than 2^63, not {self.seed}")
        super().start()

    def open_pictures(
        self,
        source: str | Path,
        *,
        channels: int,
        limit: int | None = None,
        skip_unreadable: bool = False,
        part: Literal["train", "test"] = "train",
        least: tuple[int, int] = (1, 1),
    ) -> "Sequence[Picture]":
        """Images as of `ride.data.open_pictures`, read under a bar; what is skipped is told on standard error.

        Raises `ConfigError` or `DataError` where there are none, or one cannot be read.
        """
        from ride.data import open_pictures

        if limit is not None and limit < 1:
            raise ConfigError(f"--limit must be at least 1, not {limit}")
        with self.progress("reading images") as progress:
            pictures = open_pictures(
                source,
                channels=channels,
                skip_unreadable=skip_unreadable,
                limit=limit,
                seed=self.seed,
                part=part,
                least=least,
                progress=progress,
            )
        for reason in pictures.skipped:
            print(f"ride: skipped: {reason}", file=sys.stderr)
        return pictures

    def open_planes(self, source: str | Path, config: "RIDEConfig", **how: Any) -> "Sequence[Picture]":
        """Images as a model of this kind sees them: `open_pictures`, and of colour the planes that it knows.

        Raises `ConfigError` or `DataError` where there are none, or one cannot be read.
        """
        return planes(self.open_pictures(source, channels=files_channels(config), **how), config)

    def listed(self, pictures: "Sequence[Picture]") -> "Sequence[Picture]":
        """Dead leaves in a list, made for it under a bar, if memory is to hold them; other images as they are."""
        from ride.data import DeadLeaves
        from ride.data.sources import KEPT_BYTES

        if not isinstance(pictures, DeadLeaves) or len(pictures) * math.prod(pictures.size) > KEPT_BYTES:
            return pictures
        with self.progress("making dead leaves") as progress:
            made = []
            for picture in pictures:
                made.append(picture)
                if progress:
                    progress(len(made), len(pictures))
            return made


def files_channels(config: "RIDEConfig") -> int:
    """Channels of the images that a model of this kind learns from."""
    return 3 if config.given else config.channels


def planes(pictures: "Sequence[Picture]", config: "RIDEConfig") -> "Sequence[Picture]":
    """Images as a model of this kind sees them: of colour the planes that it knows."""
    if not config.given:
        return pictures
    from ride.codec.colour import ColourPlanes

    return ColourPlanes(pictures, config.given)
