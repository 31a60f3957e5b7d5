"""A report as a list of blocks, written as Markdown or as one page of HTML that holds its pictures."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0;font-size:.9rem;display:block;overflow-x:auto}"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}"
    "th{border-bottom:2px solid #888}img{max-width:100%}code{background:#f4f4f4;padding:0 .2em}"
    "figcaption{color:#555;font-size:.9rem}figure{margin:1.5rem 0}"
)


@dataclass(frozen=True)
class Heading:
    """A heading of level 1, 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Running text; what stands between backticks is code."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of remarks."""

    items: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """A table of texts."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """A picture in the folder of the report, and what it shows."""

    file: str
    caption: str


Block = Heading | Paragraph | Points | Grid | Figure


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown; pictures are links to files beside it."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def page(title: str, blocks: Sequence[Block], folder: Path) -> str:
    """The blocks as a page of HTML by itself: style and pictures, which lie in `folder`, are in it.

    Raises:
        OSError: a picture cannot be read.
    """
    body = "\n".join(_html(block, folder) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Paragraph(text):
            return text
        case Points(items):
            return "\n".join(f"- {item}" for item in items)
        case Grid(head, rows):
            lines = [head, ["---"] * len(head), *rows]
            return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |" for cells in lines)
        case Figure(file, caption):
            return f"![{caption}]({file})"


def _html(block: Block, folder: Path) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Points(items):
            return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
        case Grid(head, rows):
            top = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
            lines = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
        case Figure(file, caption):
            data = base64.b64encode((folder / file).read_bytes()).decode()
            shown = f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'
            return f"<figure>{shown}<figcaption>{_inline(caption)}</figcaption></figure>"


def _inline(text: str) -> str:
    """Text with its special characters escaped, code between backticks and stress between pairs of stars."""
    escaped = html.escape(text, quote=False)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))
