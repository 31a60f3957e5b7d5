"""What `ride` alone prints: what a newcomer should type."""

from collections.abc import Mapping

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

FIRST_STEPS = (
    ("ride demo", "see all of it work, in a few minutes, into the folder demo"),
    ("ride evaluate photo.png", "bits per pixel of your image under the model that comes with ride"),
    ("ride sample --size 256 256 --out a.png", "an image drawn from that model"),
    ("ride inpaint gray.png --mask hole.png", "what could have been where the mask is white, and how sure that is"),
    ("ride compress photo.png", "the image without loss, most photographs in fewer bytes than JPEG XL"),
    ("ride app", "the same and more on a page, with a mouse"),
    ("ride train photos --out runs/a", "a model of your own images; interrupt and repeat it at will"),
    ("ride evaluate runs/a photos/test --tile 64", "its rate, scored as in the paper"),
)


def welcome(commands: Mapping[str, str]) -> None:
    """Print the first steps and the list of commands."""
    console = Console(highlight=False)
    intro = Text("Density models of images: exact likelihoods, pixel after pixel, with spatial LSTMs.\n")
    steps = Panel(
        Group(intro, _table(FIRST_STEPS)),
        title="ride",
        subtitle="start here",
        border_style="cyan",
        expand=False,
    )
    console.print(steps)
    console.print("\nusage: ride COMMAND ...      ride COMMAND --help explains a command\n")
    console.print(_table(tuple(commands.items())))


def _table(rows: tuple[tuple[str, str], ...]) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table
