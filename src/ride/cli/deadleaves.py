"""`ride deadleaves`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from PIL import Image
from tyro.conf import Positional, arg

from ride.atomic import replacing
from ride.cli.seeded import Seeded
from ride.cli.size import Size, rows_and_columns
from ride.data import DeadLeaves, Leaves
from ride.errors import ConfigError, OutputError
from ride.settings import claim
from ride.wording import counted

SETTINGS = "deadleaves.json"


@dataclass(frozen=True, kw_only=True)
class Command(Seeded):
    """Write images of dead leaves, disks that occlude each other, as 8-bit gray PNGs.

    Image k depends on the seed, the part and k only. `ride train deadleaves` and `ride evaluate deadleaves` make
    the images they need on the fly; this command is for looking at them, for other settings, and for other
    programs. Interrupt it at will: the same command goes on where it was.
    """

    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """Folder for the images, new or empty, and for deadleaves.json, which says how they were made."""
    count: int = 1000
    """Images to make."""
    size: Size = 256
    """Side of the images in pixels, or rows and columns."""
    part: Literal["train", "test"] = "train"
    """Images to train on, or images to test with; none is in both."""
    leaves: Annotated[Leaves, arg(name="")] = field(default_factory=Leaves)

    def run(self) -> None:
        """Make what is not there yet."""
        self.start()
        size = rows_and_columns(self.size)
        if self.count < 1:
            raise ConfigError(f"--count must be at least 1, not {self.count}")
        pictures = DeadLeaves(self.count, self.seed, self.leaves, self.part, size)
        settings = {"count": self.count, "size": size, "part": self.part, "seed": self.seed}
        self._claim({**settings, "leaves": asdict(self.leaves)})
        made = self._write(pictures)
        there = f", {self.count - made:,} were there" if made < self.count else ""
        self.say(f"wrote {counted(made, 'image')} of {size[0]} x {size[1]} pixels into {self.out}{there}")
        self.say(f"next: ride train {self.out} --out runs/leaves      ride evaluate {self.out}")
        self.give({"written": str(self.out), "images": self.count, "made": made, **settings})

    def kept(self) -> str:
        """Say how many images there are."""
        if not (self.out / SETTINGS).exists():
            return super().kept()
        there = len(list(self.out.glob("deadleaves-*.png")))
        return f"{there:,} of {counted(self.count, 'image')} are in {self.out}; the same command goes on"

    def _claim(self, settings: dict[str, object]) -> None:
        """Take the folder, which must be empty or hold images of the same settings."""
        file = self.out / SETTINGS
        try:
            taken = self.out.is_dir() and not file.exists() and any(self.out.iterdir())
        except OSError as error:
            raise OutputError(f"cannot use the directory {self.out}: {error.strerror}") from error
        if taken:
            raise ConfigError(f"{self.out} is not empty and has no {SETTINGS} in it: give another directory")
        claim(file, settings, "dead leaves")

    def _write(self, pictures: DeadLeaves) -> int:
        """Make the images whose files are missing and return how many those were."""
        files = [self.out / f"{name}.png" for name in pictures.names]
        missing: Sequence[int] = [k for k, file in enumerate(files) if not file.exists()]
        with self.progress("making dead leaves") as progress:
            for done, k in enumerate(missing):
                with replacing(files[k]) as temporary:
                    Image.fromarray(pictures[k].pixels).save(temporary, "png")
                if progress:
                    progress(len(files) - len(missing) + done + 1, len(files))
        return len(missing)
