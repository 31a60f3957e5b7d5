"""`ride sample`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ride.cli.computing import Computing
from ride.cli.options import output_file
from ride.cli.size import Size, rows_and_columns
from ride.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

BORDER_IMAGES, BORDER_PIXELS = 100, 100_000
"""Enough to know the distribution of a single pixel."""
MOST_PIXELS = 2**32


@dataclass(frozen=True, kw_only=True)
class Command(Computing):
    """Draw images from a model, one pixel given those before it: texture synthesis.

    The pixels are drawn in the order in which several can be drawn at once, from exactly the distribution
    of drawing one after another. Image k depends on the seed and on k only. DATA is a folder, a glob in quotes, one
    image, an .npy or .npz, or `deadleaves`. The border that the first pixels come after is cut off.
    """

    model: Annotated[Positional[str], arg(metavar="[MODEL]")] = "bsds300"
    """A bundled name (`ride models` lists them), a run directory or a .safetensors file."""
    size: Size = 256
    """Side of the image in pixels, or rows and columns."""
    count: int = 1
    """Images to draw; more than one are numbered, a-0.png, a-1.png, or stacked in one .npy."""
    out: Path = Path("sample.png")
    """File to write: .png (8 bits, gray or RGB) or .npy (floats in units of the full range)."""
    border: Annotated[str, arg(metavar="noise|DATA")] = "noise"
    """What the first pixels come after: `noise` like the training data, or pixels of the first 100 images of DATA."""
    bounds: tuple[float, float] | None = None
    """Clip each pixel to this range as it is drawn, say 0 1; the model is then not sampled exactly."""

    def run(self) -> None:
        """Draw and write."""
        device = self.find_device()
        out = output_file(self.out, (".png", ".npy"))
        height, width = rows_and_columns(self.size)
        if self.count < 1:
            raise ConfigError(f"--count must be at least 1, not {self.count}")
        if self.count * height * width > MOST_PIXELS:
            raise ConfigError(f"--count and --size are more than {MOST_PIXELS:,} pixels: draw fewer at a time")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ConfigError(f"--bounds takes the lower bound and then the upper one, not {self.bounds}")

        from ride.experiments.image_files import write_image
        from ride.models.files import load

        model = load(self.model).to(device)
        values = None if self.border == "noise" else self._border(model.config.channels)
        with self.progress("drawing") as progress:
            images = model.sample(
                height,
                width,
                batch=self.count,
                seed=self.seed,
                values=values,
                bounds=self.bounds,
                progress=progress,
            )
        if self.count == 1:
            files = {out: images[0]}
        elif out.suffix.lower() == ".npy":
            files = {out: images}
        else:
            files = {out.with_stem(f"{out.stem}-{k}"): image for k, image in enumerate(images)}
        for path, image in files.items():
            write_image(path, image)
            self.say(f"wrote {path}, {height} x {width} pixels drawn from {self.model} with seed {self.seed}")
        self.give(
            {
                "written": [str(path) for path in files],
                "model": self.model,
                "size": [height, width],
                "seed": self.seed,
            }
        )

    def _border(self, channels: int) -> "Tensor":
        """Pixels [P, 1, 1] or [P, 1, 1, M] of random places in the images."""
        from ride.data import CropSampler, seeded

        pictures = self.listed(self.open_pictures(self.border, channels=channels, limit=BORDER_IMAGES))
        return CropSampler(pictures, (1, 1)).draw(BORDER_PIXELS, seeded(self.seed, "border"))
