"""The documents of the repository: their tables are those of the results that lie beside the reports."""

from pathlib import Path

import pytest

from ride.experiments.catalogue import TABLES
from ride.experiments.report import table_text
from ride.experiments.results import read_record

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs" / "reports").glob("*.json"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_tables_in_documents_are_those_of_the_records(record: Path):
    table, found = TABLES[record.stem], read_record(record)
    assert set(found) <= set(table.rows)
    assert table_text(table, found) in record.with_suffix(".md").read_text(encoding="utf-8")
    begin, end = f"<!-- {record.stem} -->\n", f"\n<!-- /{record.stem} -->"
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        _, opened, rest = document.read_text(encoding="utf-8").partition(begin)
        if opened:
            assert rest.partition(end)[0].startswith(table_text(table, found, measured_only=True) + "\n\nSeed ")


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "figure3", "codecs"])
def test_the_first_page_has_its_tables(name: str):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") == 1


def test_there_are_records_to_compare():
    assert {"table1", "table2", "table3", "figure2"} <= {record.stem for record in RECORDS}
