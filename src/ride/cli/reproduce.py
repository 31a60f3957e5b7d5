"""`ride reproduce`."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ride.cli.options import Options, output_directory


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Fit and score the rows of a table of the paper, and print the table with the paper's figures beside ours.

    `table1` and `recipes` are BSDS300: `--data` names a folder with `train` and `test` in it. `table3` is dead
    leaves, which are made on the fly. Rows are kept in OUT, not run twice; interrupt and repeat the command at will.
    """

    table: Annotated[Positional[str], arg(metavar="TABLE")]
    """table1, table3, or recipes: ways to train, compared."""
    data: str | None = None
    """Folder with the images of the table."""
    rows: tuple[str, ...] = ()
    """Rows to run, all unless given; a wrong name prints the right ones."""
    out: Path | None = None
    """Folder for runs and results; runs/TABLE unless given."""
    length: float = 1.0
    """Scale the number of steps of each fit; 0.01 is a trial run."""
    into: tuple[Path, ...] = ()
    """Also write the table into these documents, between the lines <!-- TABLE --> and <!-- /TABLE -->."""

    def run(self) -> None:
        """Run the rows and print the table."""
        device = self.start()

        from ride.experiments.blocks import replace_block
        from ride.experiments.reproduce import Reproduction

        out = self.out or Path("runs") / self.table
        work = Reproduction(self.table, self.data, out, seed=self.seed, length=self.length, device=device)
        output_directory(out)
        work.run(self.rows, self.progress)
        table = f"{work.markdown()}\n\nSeed {self.seed}, {device}. Measured by `{self._command()}`."
        self.say(f"{work.table.title}\n\n{table}")
        for document in self.into:
            replace_block(document, self.table, table)
            self.say(f"wrote {document}")
        self.give(
            {
                "table": self.table,
                "rows": {key: rate.to_json() for key, rate in work.rates().items()},
                "written": [str(document) for document in self.into],
            }
        )

    def kept(self) -> str:
        """Rows that are done stay done."""
        return "the rows done so far are kept; the same command goes on"

    def _command(self) -> str:
        """What to type for the same table anywhere: the images' folder is the reader's own."""
        words = ["ride", "reproduce", self.table]
        if self.data:
            words += ["--data", "BSDS300"]
        if self.rows:
            words += ["--rows", *self.rows]
        if self.length != 1.0:
            words += ["--length", str(self.length)]
        return shlex.join(words)
