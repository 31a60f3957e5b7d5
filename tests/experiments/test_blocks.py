"""Documents with blocks that a command writes."""

from pathlib import Path

import pytest

from ride.errors import ConfigError
from ride.experiments.blocks import replace_block


def test_only_the_block_changes_and_writing_twice_is_writing_once(tmp_path: Path):
    document = tmp_path / "a.md"
    document.write_text("before\n<!-- rates -->\nold\n<!-- /rates -->\nafter <!-- other -->\n")
    for _ in range(2):
        replace_block(document, "rates", "new\n")
        assert document.read_text() == "before\n<!-- rates -->\nnew\n<!-- /rates -->\nafter <!-- other -->\n"


@pytest.mark.parametrize("text", ["", "<!-- rates -->\n", "<!-- /rates -->\n<!-- rates -->"])
def test_a_document_without_the_block_is_left_alone(tmp_path: Path, text: str):
    document = tmp_path / "a.md"
    document.write_text(text)
    with pytest.raises(ConfigError, match=r"a\.md"):
        replace_block(document, "rates", "new")
    assert document.read_text() == text


def test_a_document_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"missing\.md"):
        replace_block(tmp_path / "missing.md", "rates", "new")
