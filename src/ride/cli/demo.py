"""`ride demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ride.cli.computing import Computing
from ride.cli.options import output_directory

if TYPE_CHECKING:
    from ride.experiments.demo import Demonstration


@dataclass(frozen=True, kw_only=True)
class Command(Computing):
    """See all of it work, in a few minutes on two cores.

    Fits a small RIDE and an MCGSM to dead leaves and compares them with a histogram of single pixels; then
    scores a photograph with the model that comes with ride and draws a texture from it. Everything goes
    into one folder.
    """

    out: Path = Path("demo")
    """Folder for the pictures, the two models and results.json."""

    def run(self) -> None:
        """Train, score, draw, print."""
        device = self.find_device()
        folder = output_directory(self.out)

        from ride.experiments.demo import demonstrate

        result = demonstrate(folder, seed=self.seed, device=device, bars=self.progress)
        if not self.json:
            _print_table(result)
        self.say(f"\n{result.photograph}\n")
        for path in result.written:
            self.say(f"wrote {path}")
        self.give(result.to_json())

    def kept(self) -> str:
        """Everything is written at the end."""
        return f"nothing was written into {self.out}; the same command starts again"


def _print_table(result: "Demonstration") -> None:
    from rich.console import Console
    from rich.table import Table

    first = result.dead_leaves[0]
    table = Table(
        title=f"dead leaves: log-likelihood on {first.images} test images, {first.scored}, seed {first.seed}",
        title_justify="left",
    )
    table.add_column("model")
    for heading in ("bit/px ± standard error", "nat/px", "code, bit/px", "pixels"):
        table.add_column(heading, justify="right")
    for rate in result.dead_leaves:
        table.add_row(
            rate.model,
            f"{rate.bits_per_pixel:.3f} ± {rate.stderr_bits:.3f}",
            f"{rate.nats_per_pixel:.3f}",
            "-" if rate.code_length is None else f"{rate.code_length:.3f}",
            f"{rate.pixels:,}",
        )
    bits, error = result.gain
    console = Console(highlight=False)
    console.print(table)
    console.print(f"RIDE over the MCGSM, image by image: {bits:+.3f} ± {error:.3f} bit/px")
