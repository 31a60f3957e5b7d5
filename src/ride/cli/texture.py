"""`ride texture`."""

import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ride.cli.computing import Computing
from ride.cli.size import Size, rows_and_columns
from ride.errors import ConfigError, DataError
from ride.models.ride import RIDEConfig

if TYPE_CHECKING:
    from torch import Tensor

    from ride.data import Picture
    from ride.experiments.texture import Likeness, Texture

RESULTS = "results.json"


@dataclass(frozen=True, kw_only=True)
class Command(Computing):
    """Learn one texture and draw more of it.

    The image is split into 4 x 4 regions (3 x 3 or 2 x 2 if it is small), of which the seed chooses one to test
    on. RIDE and, for comparison, an MCGSM learn the others; both are scored on the one that they have not seen, and
    both draw. The models, the samples, a picture of the original beside them and results.json go into the folder OUT.
    Interrupt it at will: the same command goes on where it was.
    """

    image: Annotated[Positional[str], arg(metavar="IMAGE")]
    """The texture: an image of at least 96 x 96 pixels; colour becomes gray unless --channels is 3."""
    size: Size = 512
    """Side of the samples in pixels, or rows and columns."""
    out: Path | None = None
    """Folder of the run; runs/texture-NAME unless given. OUT/ride can be named wherever a MODEL is asked for."""
    length: float = 1.0
    """Scale the number of steps of both fits; 0.01 is a trial run. Of an image of few pixels, whose length of fit a
    training region chooses, this is the longest."""
    model: Annotated[RIDEConfig, arg(name="")] = field(default_factory=RIDEConfig)

    def run(self) -> None:
        """Learn, score, draw, compare."""
        device = self.find_device()
        height, width = rows_and_columns(self.size)
        if self.model.given:
            raise ConfigError("--given is for one plane of images in colour: leave it out, or give --channels 3")

        from ride.experiments.texture import learn_texture

        picture, folder = self._picture(), self._folder()
        # The folder is made by the first fit, when nothing is left that may be refused.
        texture = learn_texture(
            picture,
            directory=folder,
            seed=self.seed,
            model=self.model,
            length=self.length,
            device=device,
            bars=self.progress,
        )
        samples = {}
        for name, learned in (("mcgsm", texture.mcgsm), ("ride", texture.ride)):
            with self.progress(f"drawing from {learned.rate.model}") as progress:
                samples[name] = learned.model.sample(height, width, seed=self.seed, progress=progress)[0].cpu()
        likenesses = self._compare(picture, samples)
        written = self._write(folder, picture, texture, samples, likenesses)
        self._tell(texture, likenesses)
        for path in written:
            self.say(f"wrote {path}")
        self.say(f"next: ride sample {folder / 'ride'} --size 1024 --out more.png")
        self.give({**self._record(texture, likenesses), "written": [str(path) for path in written]})

    def kept(self) -> str:
        """Both fits keep checkpoints."""
        folder = self._folder()
        if folder.exists():
            return f"what was learned so far is kept in {folder}; the same command goes on from it"
        return "nothing was written; the same command starts again"

    def _folder(self) -> Path:
        return self.out or Path("runs") / f"texture-{Path(self.image).stem}"

    def _picture(self) -> "Picture":
        pictures = self.open_pictures(self.image, channels=self.model.channels)
        if len(pictures) != 1:
            raise ConfigError(f"{self.image} has {len(pictures)} images: give the one with the texture")
        return pictures[0]

    def _compare(self, picture: "Picture", samples: "dict[str, Tensor]") -> "dict[str, Likeness]":
        """The statistics of the original itself and of the samples; none where the samples are too small for them."""
        from ride.evaluation.textures import LAGS
        from ride.experiments.texture import PIECE, Original

        side = min(PIECE, *samples["ride"].shape[:2])
        if side <= LAGS:
            return {}
        with self.progress("comparing the samples with the texture"):
            original = Original(picture, self.seed, side)
            likenesses = {"original": original.itself()}
            for name, sample in samples.items():
                try:
                    likenesses[name] = original.compare(sample)
                except DataError as error:
                    # Its picture is still worth to be written.
                    print(f"ride: note: no distances of sample-{name}.png: {error}", file=sys.stderr)
            return likenesses

    def _write(
        self,
        folder: Path,
        picture: "Picture",
        texture: "Texture",
        samples: "dict[str, Tensor]",
        likenesses: "dict[str, Likeness]",
    ) -> list[Path]:
        """The samples, the picture of all, the results; returns all files of the run that a person may want."""
        from ride.atomic import write_bytes
        from ride.data import dequantize, seeded
        from ride.experiments.image_files import to_levels, write_image
        from ride.experiments.mosaic import write_mosaic
        from ride.models.files import RUN_MODEL

        files = {name: folder / f"sample-{name}.png" for name in samples}
        for name, path in files.items():
            write_image(path, samples[name])
        height, width = samples["ride"].shape[:2]
        original = dequantize(picture, seeded(self.seed, "original"))[:height, :width]
        shown = [("original", to_levels(original))]
        for name, learned in (("mcgsm", texture.mcgsm), ("ride", texture.ride)):
            bits = learned.rate.bits_per_pixel
            shown.append((f"{learned.rate.model}, {bits:.3f} bit/px", to_levels(samples[name])))
        write_mosaic(folder / "texture.png", [shown])
        write_bytes(folder / RESULTS, json.dumps(self._record(texture, likenesses), indent=1).encode())
        models = [folder / name / RUN_MODEL for name in samples]
        return [*files.values(), folder / "texture.png", *models, folder / RESULTS]

    def _record(self, texture: "Texture", likenesses: "dict[str, Likeness]") -> dict[str, object]:
        gain, error, pixels = texture.gain()
        return {
            "image": self.image,
            "seed": self.seed,
            "training_regions": len(texture.regions.training),
            "test_region": texture.regions.test.name,
            "mcgsm": texture.mcgsm.rate.to_json(),
            "ride": texture.ride.rate.to_json(),
            "lengths": {"mcgsm": texture.mcgsm.length, "ride": texture.ride.length},
            "ride_over_mcgsm_bits": gain / math.log(2),
            "ride_over_mcgsm_stderr_bits": None if error is None else error / math.log(2),
            "pixels_that_both_predict": pixels,
            "distances": {name: likeness.named() for name, likeness in likenesses.items()},
        }

    def _tell(self, texture: "Texture", likenesses: "dict[str, Likeness]") -> None:
        from ride.experiments.document import Grid, markdown
        from ride.experiments.report import with_error

        rows, columns = texture.regions.test.pixels.shape[:2]
        self.say(f"{len(texture.regions.training)} regions of {rows} x {columns} pixels to train on, one to test on")
        for learned in (texture.mcgsm, texture.ride):
            if learned.tried:
                rates = ", ".join(f"{nats / math.log(2):.3f} by {x:g}" for x, nats in learned.tried.items())
                why = f"a training region chose, with {rates} bit/px"
                self.say(f"{learned.rate.model}: fitted by {learned.length:g} times the steps ({why})")
        self.say(f"{texture.mcgsm.rate}\n{texture.ride.rate}")
        gain, error, pixels = texture.gain()
        bits = with_error(f"{gain / math.log(2):+.3f}", None if error is None else error / math.log(2))
        self.say(f"RIDE over the MCGSM: {bits} bit/px on the {pixels:,} pixels that both predict (± over 16 blocks)\n")
        if likenesses:
            named = {name: likeness.named() for name, likeness in likenesses.items()}
            rows_ = [[name, *(f"{value:.4f}" for value in values.values())] for name, values in named.items()]
            self.say("distances from the texture, less is better; those of pieces of the original, for scale")
            self.say(markdown([Grid(["drawn by", *named["original"]], rows_)]))
        else:
            self.say("samples of 40 pixels a side or less are not compared with the texture\n")
