"""The documents of the repository: their tables are those of the results that lie beside the reports."""

from pathlib import Path

import pytest
import torch

from ride.experiments.catalogue import TABLES
from ride.experiments.report import table_text
from ride.experiments.results import read_record
from ride.experiments.rows import Setting
from ride.experiments.sources import Source
from ride.progress import silent

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs" / "reports").glob("*.json"))
KNOWN = [record for record in RECORDS if TABLES[record.stem].source != "brodatz"]
"""Those whose settings are known without the images."""


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_tables_in_documents_are_those_of_the_records(record: Path):
    table = TABLES[record.stem]
    found = {key: result for key, result in read_record(record).items() if key in table.rows}
    assert table_text(table, found) in record.with_suffix(".md").read_text(encoding="utf-8")
    begin, end = f"<!-- {record.stem} -->\n", f"\n<!-- /{record.stem} -->"
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        _, opened, rest = document.read_text(encoding="utf-8").partition(begin)
        if opened:
            assert rest.partition(end)[0].startswith(table_text(table, found, measured_only=True) + "\n\nSeed ")


@pytest.mark.parametrize("record", KNOWN, ids=lambda path: path.stem)
def test_records_are_of_the_present_settings(record: Path):
    table = TABLES[record.stem]
    source = Source(table.source, None if table.source == "deadleaves" else Path("images"), 0)
    here = Setting(source, Path("out"), 0, 1.0, torch.device("cpu"), silent)
    found = read_record(record)
    others = [key for key, row in table.rows.items() if key in found and found[key].identity != row.identity(here)]
    assert not others


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "figure3", "codecs"])
def test_the_first_page_has_its_tables(name: str):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") == 1


def test_there_are_records_to_compare():
    assert {"table1", "table2", "table3", "figure2"} <= {record.stem for record in RECORDS}
