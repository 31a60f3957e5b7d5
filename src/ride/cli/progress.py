"""The progress bar, with an estimate of the time left."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ride.progress import Progress


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """Show a bar on standard error while the block runs; it is gone afterwards."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None, message="")
        begun = False

        def tell(done: int, total: int, message: str = "") -> None:
            nonlocal begun
            if not begun:
                # What a resumed run has done before says nothing about its speed now.
                shown.reset(task, total=total, completed=done, message=message)
                begun = True
            shown.update(task, total=total, completed=done, message=message)

        yield tell
