"""`ride reproduce`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ride.cli.computing import Computing
from ride.cli.options import output_directory
from ride.errors import ConfigError, RideError

if TYPE_CHECKING:
    from ride.experiments.rows import Setting
    from ride.experiments.tables import Table


@dataclass(frozen=True, kw_only=True)
class Command(Computing):
    """Reproduce a table or figure of the paper, from raw images to a report with the paper's figures beside ours.

    `table1`, `recipes` and `codecs` are BSDS300: `--data` names a folder with `train` and `test` in it. `table2` is
    van Hateren's images: `--data` names a folder of .iml files. `table3` and `figure2` are dead leaves, which are made
    on the fly. `figure3` and `figure4` are textures of Brodatz: `--data` names a folder with D104.gif and the like.
    Rows are kept in OUT, not run twice; interrupt and repeat the command at will, or start it several times: each
    takes rows that no other is at work on. The report is written from what lies there: Markdown, and one page of HTML,
    with pictures.
    """

    table: Annotated[Positional[str], arg(metavar="TABLE")]
    """table1, table2, table3, figure2, figure3, figure4, codecs, or recipes: ways to train, compared."""
    data: str | None = None
    """Folder with the images of the table."""
    rows: tuple[str, ...] = ()
    """Rows to run, all unless given; a wrong name prints the right ones."""
    out: Path | None = None
    """Folder for fitted models and results; runs/bsds300 and the like, by the images, unless given."""
    report: Path | None = None
    """Folder for the report; OUT unless given. Results that it holds already are not measured again."""
    length: float = 1.0
    """Scale the number of steps of each fit; 0.01 is a trial run."""
    budget: float | None = None
    """Stop after about so many minutes, in the middle of a fit if need be; the same command goes on from there. It
    does at least a fiftieth of a fit, or one part that cannot be interrupted."""
    into: tuple[Path, ...] = ()
    """Also write what was measured of the table into these documents, between the lines <!-- TABLE --> and
    <!-- /TABLE -->."""

    def run(self) -> None:
        """Run the rows, write the report and print the table."""
        device = self.find_device()
        if self.budget is not None and not self.budget > 0:
            raise ConfigError(f"--budget must be more than 0 minutes, not {self.budget}")

        from ride.training.config import check_length

        check_length(self.length)
        from ride.experiments.blocks import around_block
        from ride.experiments.catalogue import TABLES
        from ride.experiments.report import write_known
        from ride.experiments.reproduce import check_record, check_rows, run_rows
        from ride.experiments.results import read_record
        from ride.experiments.rows import Setting
        from ride.experiments.sources import Source

        if self.table not in TABLES:
            raise ConfigError(f"there is no table {self.table!r} here: choose from {', '.join(TABLES)}")
        table = TABLES[self.table]
        check_rows(table, self.rows)
        source = Source(table.source, Path(self.data) if self.data else None, self.seed)
        out = self.out or Path("runs") / table.source
        report = self.report or out
        for document in self.into:
            around_block(document, self.table)
        output_directory(out)
        output_directory(report)
        known = read_record(report / f"{self.table}.json")
        setting = Setting(source, out, self.seed, self.length, device, self.progress, known)
        check_record(table, setting, report / f"{self.table}.json")
        try:
            left = run_rows(table, self.rows, setting, self.budget)
        except RideError:
            # What the rows before it have reached is not lost with this one.
            write_known(table, self.table, setting, report)
            raise
        self._report(table, setting, report, left)
        for reason in left:
            self.say(f"{reason}; the same command goes on from there")

    def kept(self) -> str:
        """Rows that are done stay done."""
        return "the rows done so far are kept; the same command goes on"

    def _report(self, table: "Table", setting: "Setting", folder: Path, left: list[str]) -> None:
        from ride.experiments.blocks import replace_block
        from ride.experiments.report import reproduce_command, table_text, write_report
        from ride.experiments.reproduce import results

        found = results(table, setting)
        if not found:
            self.say(f"{table.title}: nothing was measured yet")
            self.give({"table": self.table, "rows": {}, "written": [], "left": left})
            return
        command = reproduce_command(self.table, table, found, setting)
        how = f"Seed {self.seed}. Measured by `{command}`."
        self.say(f"{table.title}\n\n{table_text(table, found)}\n\n{how}\n")
        written = write_report(table, self.table, setting, folder)
        for document in self.into:
            replace_block(document, self.table, f"{table_text(table, found, measured_only=True)}\n\n{how}")
        for path in (*written, *self.into):
            self.say(f"wrote {path}")
        self.give(
            {
                "table": self.table,
                "rows": {
                    key: {"value": result.value, "stderr": result.stderr, "unit": result.unit, "count": result.count}
                    for key, result in found.items()
                },
                "written": [str(path) for path in (*written, *self.into)],
                "left": left,
            }
        )
