"""`ride evaluate`."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from ride.cli.computing import Computing
from ride.cli.options import UsageError, output_directory
from ride.errors import ConfigError
from ride.wording import counted

if TYPE_CHECKING:
    from torch import Tensor

    from ride.evaluation import Rate
    from ride.models.neighborhood import Neighborhood

LEAST_RATE = -2
"""Bits per pixel; noise without any structure has 0 under a uniform density."""


@dataclass(frozen=True, kw_only=True)
class Command(Computing):
    """Score images: their log-likelihood under a model in bits per pixel. More is better.

    DATA is a folder, a glob in quotes, one image, an .npy or .npz, or `deadleaves`: 100 test images, none of
    which is among the 900 for training. MODEL is a bundled name (`ride models` lists them), a run directory or
    a .safetensors file; without it the bundled model bsds300 is used. Colour becomes gray for a model of gray images.

    An 8-bit image of r bit/px can be stored without loss in 8 - r bits a pixel by a code built on the
    model. Images of any size are scored exactly and in bounded memory. `torchrun --nproc-per-node N -m ride evaluate`
    divides the images over N processes.
    """

    divided: ClassVar[bool] = True
    sources: Annotated[Positional[tuple[str, ...]], arg(metavar="[MODEL] DATA", help_behavior_hint="(required)")]
    """The model (optional) and the images."""
    tile: int | None = None
    """Score independent tiles of this size and drop the rest, as the paper does with 64; whole images unless given."""
    ensemble: bool = False
    """Score the mixture of the model over the 8 flips and transposes (of each tile, or each whole image)."""
    limit: int | None = None
    """Score the first so many images only."""
    skip_unreadable: bool = False
    """Go on, with a note, where an image cannot be read or is too small."""
    maps: Path | None = None
    """Also draw each image beside its map of bits per pixel into this folder."""

    def run(self) -> None:
        """Score, draw, print."""
        if len(self.sources) not in (1, 2):
            raise UsageError(f"ride evaluate takes [MODEL] DATA, not {len(self.sources)} arguments: quote a glob")
        device = self.find_device()
        name, source = self.sources if len(self.sources) == 2 else ("bsds300", self.sources[0])

        from ride import ranks
        from ride.evaluation import evaluate
        from ride.experiments.pictures import NEEDED, Panel, can_draw, draw
        from ride.models.files import load

        if self.maps and not can_draw():
            raise ConfigError(f"--maps {NEEDED}")
        model = load(name).to(device)
        channels = model.config.channels
        if self.maps and channels not in (1, 3):
            raise ConfigError(f"--maps shows images of 1 or 3 channels, and {name} has {channels}: leave it out")
        pictures = self.open_planes(
            source,
            model.config,
            limit=self.limit,
            skip_unreadable=self.skip_unreadable,
            part="test",
            least=self._least(model.neighborhood),
        )
        folder = output_directory(self.maps) if self.maps else None
        drawn: list[str] = []
        own = ranks.dealt(range(len(pictures)))

        def draw_map(name: str, image: "Tensor", log_prob: "Tensor") -> None:
            assert folder
            # Numbered: two folders may hold images of one name.
            path = folder / f"{own[len(drawn)]:04d}-{Path(name).stem}.png"
            # Without planes that are given.
            image = image[..., :channels].squeeze(-1) if image.ndim == 3 else image
            draw(path, [[Panel(Path(name).name, image), Panel("bits per pixel", log_prob / math.log(2), bits=True)]])
            drawn.append(str(path))

        with self.progress("scoring") as progress:
            rate = evaluate(
                model,
                pictures,
                tile=self.tile,
                ensemble=self.ensemble,
                seed=self.seed,
                name=name,
                progress=progress,
                each=draw_map if folder else None,
            )
        if model.config.layers and self.tile is None:
            self._doubt(rate)
        parts = ranks.gather(drawn)
        # They were dealt out one by one, and so they are collected.
        written = [parts[k % len(parts)][k // len(parts)] for k in range(sum(map(len, parts)))]
        self.say(str(rate))
        for path in written:
            self.say(f"wrote {path}")
        self.give({**rate.to_json(), "data": source, "written": written})

    def _least(self, neighborhood: "Neighborhood") -> tuple[int, int]:
        """Rows and columns of the smallest image that can be scored."""
        if self.tile is not None:
            return self.tile, self.tile
        rows, columns = neighborhood.smallest
        return columns if self.ensemble else rows, columns

    def _doubt(self, rate: "Rate") -> None:
        """Say so where a rate is so low that memory has run away."""
        bad = [picture for picture in rate.pictures if picture.bits_per_pixel < LEAST_RATE]
        if bad:
            first = f"{counted(len(bad), 'image')}, {Path(bad[0].name).name} the first,"
            print(
                f"ride: note: {first} got a rate below {LEAST_RATE} bit/px, which the mean should not be taken of: "
                "memory may have run away there, which --tile 64 keeps in bounds where images are that large",
                file=sys.stderr,
            )

    def kept(self) -> str:
        """Say what maps are there."""
        return f"the maps drawn so far are in {self.maps}" if self.maps else super().kept()
