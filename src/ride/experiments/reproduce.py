"""Runs the rows of a table one by one and keeps what each reached on disk."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ride.errors import BusyError, ConfigError
from ride.experiments.results import Result
from ride.experiments.rows import Row, Setting
from ride.experiments.tables import Table
from ride.progress import Bars, Progress

LEAST = 1 / 50
"""Of a fit, made by each call however little time it is given, so that calls come to an end. Fits keep what they have
done in smaller parts; one that keeps whole pixels of patches, in no larger ones than a patch has pixels."""


class OutOfTime(Exception):
    """The time that was given for the work is over; what is done is on disk."""


@dataclass
class Deadline:
    """Ends the work when it is due, but not before something is `done` that the next call need not do again."""

    end: float
    done: bool = False

    def ending(self, bars: Bars, resumable: bool) -> Bars:
        """The same bars, which raise OutOfTime in time; a `resumable` part is done with a fiftieth of it."""

        @contextmanager
        def shown(title: str) -> Iterator[Progress]:
            with bars(title) as progress:
                first: int | None = None

                def tell(done: int, total: int, message: str = "") -> None:
                    nonlocal first
                    # Parts of a part, and steps made anew, begin lower.
                    first = done if first is None else min(first, done)
                    self.done = self.done or (resumable and done - first >= max(1, LEAST * total))
                    if self.done and time.monotonic() >= self.end:
                        raise OutOfTime
                    if progress:
                        progress(done, total, message)

                yield tell

        return shown


def run_rows(table: Table, keys: Sequence[str], setting: Setting, minutes: float | None = None) -> list[str]:
    """Run the rows of these keys, all of the table if there are none; what is on disk is not done again.

    A row that another process is at work on is left to it: several may share the rows of a table.

    Args:
        table: has the rows.
        keys: of the rows to run, in their order; without any those are left out that the data have nothing for.
        setting: where and how.
        minutes: stop after about so many, in the middle of a fit if need be; the same call goes on from there. Each
            call gets something done, though: a fiftieth of a fit, or what cannot be interrupted.

    Returns: why it is not all done, one line each; nothing if it is.

    Raises:
        ConfigError: there is no such row, its result on disk was measured with other settings, or the data have
            nothing for any row.
        RideError: a row could not be run.
    """
    check_rows(table, keys)
    deadline = Deadline(math.inf if minutes is None else time.monotonic() + 60 * minutes)
    if minutes is not None:
        bars = setting.bars
        setting = replace(setting, bars=deadline.ending(bars, False), fits=deadline.ending(bars, True))
    for key in keys or table.rows:
        _refuse_others(table.rows[key], setting)
    if not keys and not results(table, setting):
        lacking = [row.lacks(setting) for row in table.rows.values()]
        if all(lacking):
            missing = ", ".join(dict.fromkeys(name for name in lacking if name))
            raise ConfigError(f"there is nothing for this table in {setting.source.data}: it has none of {missing}")
    left = []
    for key in keys or table.rows:
        row = table.rows[key]
        if row.result(setting) is not None or (not keys and row.lacks(setting)):
            continue
        try:
            replace(row.run(setting), data=setting.source.digest).write(row.file(setting))
            deadline.done = True
        except BusyError:
            left.append(f"{key} was left to another process, which is at work on it")
        except OutOfTime:
            return [*left, f"stopped after {minutes:g} minutes"]
    return left


def check_rows(table: Table, keys: Sequence[str]) -> None:
    """See that there are rows of these keys.

    Raises:
        ConfigError: there is one that is not.
    """
    unknown = [key for key in keys if key not in table.rows]
    if unknown:
        raise ConfigError(f"there is no row {unknown[0]!r}: choose from {', '.join(table.rows)}")


def results(table: Table, setting: Setting) -> dict[str, Result]:
    """What is on disk for the present settings, by the key of the row."""
    found = {key: row.result(setting) for key, row in table.rows.items()}
    return {key: result for key, result in found.items() if result}


def check_record(table: Table, setting: Setting, path: Path) -> None:
    """See that a record of results, which the report will replace, has none that would be lost.

    Raises:
        ConfigError: it has some that were measured with other settings.
    """
    for key, row in table.rows.items():
        known = setting.known.get(key)
        if known and known.identity != row.identity(setting):
            raise ConfigError(
                f"{path} has {key} as it was measured with other settings: give --out, and --report if it was given, "
                "another folder, or move the file away to measure it anew"
            )


def _refuse_others(row: Row, setting: Setting) -> None:
    """Raise ConfigError where a result of other settings lies that running the row would replace."""
    found = Result.read(row.file(setting))
    if found and found.identity != row.identity(setting) and row.result(setting) is None:
        raise ConfigError(
            f"{row.file(setting)} is of other settings: give --out another folder, or move the file away to measure "
            "it anew"
        )
