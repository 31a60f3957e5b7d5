"""Documents with blocks that a command writes, so that no figure in them is typed by hand."""

from pathlib import Path

from ride.atomic import write_bytes
from ride.errors import ConfigError


def replace_block(path: Path, name: str, text: str) -> None:
    """Put `text` between the lines `<!-- name -->` and `<!-- /name -->` of a document, in place of what is there.

    Raises:
        ConfigError: the document cannot be read or does not have the two lines in this order.
        OutputError: it cannot be written.
    """
    before, after = around_block(path, name)
    write_bytes(path, f"{before}\n{text.strip()}\n{after}".encode())


def around_block(path: Path, name: str) -> tuple[str, str]:
    """What a document has up to the first of the two lines, and from the second on.

    Raises:
        ConfigError: the document cannot be read or does not have the two lines in this order.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    try:
        document = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the document {path}: {error}") from error
    before, opened, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ConfigError(f"{path} has no block between {begin} and {end} to write the table into")
    return before + begin, end + after
