"""`ride inpaint`."""

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ride.cli.computing import Computing
from ride.cli.options import UsageError, output_file
from ride.errors import ConfigError, DataError
from ride.wording import counted

if TYPE_CHECKING:
    import torch

    from ride.data import Picture
    from ride.generation.posterior import Inpainting
    from ride.models.ride import RIDE

CHECKPOINT = "checkpoint.safetensors"
"""That of `ride.training.run`, which is not imported to answer an interrupt."""
EVERY = 5
"""Sweeps, and EVERY_STEPS steps of an ascent, between two pictures of how far it is."""
EVERY_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Command(Computing):
    """Fill the holes of an image by samples from the posterior of a model: what else could have been there?

    Not the smoothest picture but draws that look like the model's images, their mean, and how uncertain each pixel is.
    Pixels outside the holes come back unchanged. The picture so far is written every few sweeps; with --keep the
    chains are kept too, and the same command, with more --sweeps if you like, goes on from there.

    MODEL is a bundled name (`ride models` lists them), a run directory or a .safetensors file: one trained on such
    images, or on this texture (`ride texture`), fills best.
    """

    sources: Annotated[Positional[tuple[str, ...]], arg(metavar="[MODEL] IMAGE", help_behavior_hint="(required)")]
    """The model (bsds300 unless given) and the image: 8 bits, gray for a model of gray images, RGB for one of RGB."""
    mask: Path
    """An image of the same size: white, or any value but 0, where pixels are missing."""
    out: Path = Path("inpainted.png")
    """Where to write one draw: .png (8 bits) or .npy. Beside it, but with --map: NAME-mean, NAME-std and, by
    matplotlib, the overview NAME-all.png."""
    sweeps: int = 100
    """Updates of each 5 x 5 block of missing pixels."""
    chains: int = 1
    """Independent chains, for a better mean and deviation; with --map from where to climb."""
    candidates: int = 5
    """Samples that each chain begins with the best of."""
    flips: bool = False
    """Make each sweep in a mirror image drawn at random."""
    exact: bool = False
    """Accept by the likelihood of the whole image, not that of 19 x 19 pixels: for tests, very slow."""
    map: bool = False
    """Look for the most probable pixels by gradient ascent instead of drawing: smooth, no uncertainty."""
    steps: int = 300
    """Of the ascent with --map."""
    keep: Path | None = None
    """Folder for the chains, to go on from."""

    def run(self) -> None:
        """Read, fill, write."""
        if len(self.sources) not in (1, 2):
            raise UsageError(f"ride inpaint takes [MODEL] IMAGE, not {len(self.sources)} arguments")
        device = self.find_device()
        if self.chains < 1:
            raise ConfigError(f"--chains must be at least 1, not {self.chains}")
        if self.map:
            for given, option in ((self.keep, "--keep"), (self.flips, "--flips"), (self.exact, "--exact")):
                if given:
                    raise ConfigError(f"--map climbs and makes no chains: leave {option} out")
        name, source = self.sources if len(self.sources) == 2 else ("bsds300", self.sources[0])
        out = output_file(self.out, (".png", ".npy"), (source, self.mask))
        if not self.map:
            for path in _beside(out):
                output_file(path, (".png", ".npy"), (source, self.mask))

        from ride.models.files import load

        model = load(name).to(device)
        picture = self._image(source, model.config.channels, name)
        if picture.levels == 65536 and out.suffix.lower() == ".png":
            raise DataError(f"{source} has 16 bits and a .png here 8: give --out a name in .npy, or convert the image")
        mask = self._mask()
        if self.map:
            self._ascend(model, picture, mask, out)
        else:
            self._draw(model, picture, mask, out, name)

    def kept(self) -> str:
        """Say where the picture so far is, and whether there are chains to go on from."""
        # A file of that name may be that of an earlier run.
        so_far = f"the picture so far is {self.out}" if self._written else "no picture was written"
        if self.keep and (self.keep / CHECKPOINT).exists():
            return f"{so_far}; the same command goes on from {self.keep}"
        hint = "" if self.keep or self.map else "; with --keep FOLDER it could go on from here"
        return f"{so_far}; the same command starts again{hint}"

    @cached_property
    def _written(self) -> list[Path]:
        """What this run has written."""
        return []

    def _write(self, path: Path, image: "torch.Tensor") -> None:
        from ride.experiments.image_files import write_image

        write_image(path, image)
        self._written.append(path)

    def _one(self, source: str, channels: int) -> "Picture":
        pictures = self.open_pictures(source, channels=channels, limit=2)
        if len(pictures) != 1:
            raise DataError(f"{source} has more than one image: name one")
        return pictures[0]

    def _image(self, source: str, channels: int, name: str) -> "Picture":
        """The image as it is stored: converted, its known pixels would not come back unchanged."""
        if channels not in (1, 3):
            return self._one(source, channels)
        gray = self._one(source, 1)
        try:
            coloured = self._one(source, 3)
        except DataError:
            # All other faults it would have had as gray, too.
            if channels == 1:
                return gray
            raise DataError(
                f"{source} is gray and {name} is for colours: convert the image to RGB, or name a MODEL of 1 channel"
            ) from None
        if channels == 1 and (coloured.pixels != coloured.pixels[..., :1]).any():
            raise DataError(
                f"{source} is in colour and {name} is for gray images: convert the image to gray first,"
                " or name a MODEL of 3 channels"
            )
        return coloured if channels == 3 else gray

    def _mask(self) -> "torch.Tensor":
        import torch

        # As gray, a dark color could become black.
        try:
            pixels = self._one(str(self.mask), 3).pixels.max(-1)
        except DataError:
            pixels = self._one(str(self.mask), 1).pixels
        missing = pixels != 0
        between = int((missing & (pixels != pixels.max())).sum())
        if between:
            values = f"values between 0 and {pixels.max():g}, the largest, in {counted(between, 'pixel')}"
            print(f"ride: {self.mask} has {values}: they count as missing, too", file=sys.stderr)
        return torch.from_numpy(missing)

    def _draw(self, model: "RIDE", picture: "Picture", mask: "torch.Tensor", out: Path, name: str) -> None:
        from ride.generation.inpainting import inpaint

        with self.progress("inpainting") as progress:
            result = inpaint(
                model,
                picture,
                mask,
                self.sweeps,
                chains=self.chains,
                candidates=self.candidates,
                flips=self.flips,
                exact=self.exact,
                seed=self.seed,
                directory=self.keep,
                each=lambda so_far: self._write(out, so_far.best),
                every=EVERY,
                progress=progress,
            )
        mean, std, _ = _beside(out)
        written = {out: result.best, mean: result.mean, std: result.std}
        for path, image in written.items():
            self._write(path, image)
        overview = self._overview(result, out)
        if result.continued:
            self.say("the hole is near the border: the image was continued there by its mirror image")
        self.say(str(result))
        for path in (*written, *overview):
            self.say(f"wrote {path}")
        self.give(
            {
                "written": [str(path) for path in (*written, *overview)],
                "model": name,
                "seed": self.seed,
                "missing": int(mask.sum()),
                "sweeps": result.sweeps,
                "chains": self.chains,
                "accepted": result.accepted,
                "effective_draws": result.effective,
                "log_density_nats": result.log_density[-1].tolist() if len(result.log_density) else None,
                "continued": result.continued,
            }
        )

    def _overview(self, result: "Inpainting", out: Path) -> list[Path]:
        """Draw all side by side, where that can be drawn."""
        from ride.experiments.pictures import NEEDED, Panel, can_draw, draw

        *_, path = _beside(out)
        if not can_draw():
            print(f"ride: note: {path} is not written: it {NEEDED}", file=sys.stderr)
            return []
        if result.image.ndim == 3 and result.image.shape[2] not in (1, 3):
            return []
        given = result.image.clone()
        given[result.mask] = 1.0
        std = result.std if result.std.ndim == 2 else result.std.mean(2)
        panels = [
            Panel("given", given),
            Panel("a draw", result.best),
            Panel("mean", result.mean),
            Panel("standard deviation", std, deviation=True),
        ]
        draw(path, [panels])
        return [path]

    def _ascend(self, model: "RIDE", picture: "Picture", mask: "torch.Tensor", out: Path) -> None:
        from ride.generation.maximum import most_probable

        with self.progress("inpainting") as progress:
            image = most_probable(
                model,
                picture,
                mask,
                self.steps,
                starts=self.chains,
                candidates=self.candidates,
                seed=self.seed,
                each=lambda so_far: self._write(out, so_far),
                every=EVERY_STEPS,
                progress=progress,
            )
        self._write(out, image)
        self.say(f"wrote {out}, the most probable pixels found in {self.steps} steps")
        self.give({"written": [str(out)], "seed": self.seed, "missing": int(mask.sum()), "steps": self.steps})


def _beside(out: Path) -> tuple[Path, Path, Path]:
    """Where the mean, the standard deviation and the overview go."""
    return out.with_stem(f"{out.stem}-mean"), out.with_stem(f"{out.stem}-std"), out.with_name(f"{out.stem}-all.png")
