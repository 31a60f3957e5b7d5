"""The door of the command line: finds the command, runs it, and turns errors into one line."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version
from typing import NoReturn

from ride.cli.options import Options, UsageError
from ride.cli.together import Together, is_first, leave, started_together
from ride.errors import RankError, RideError

COMMANDS = {
    "demo": "train, compare, score, sample and draw in a few minutes",
    "evaluate": "bits per pixel of images under a model, and maps of them",
    "sample": "draw images from a model: texture synthesis",
    "inpaint": "fill holes by draws from the posterior of a model",
    "texture": "learn one texture and draw more of it",
    "compress": "store images without loss, most in fewer bytes than other codecs",
    "decompress": "bring back the images that compress has stored",
    "info": "what a compressed file holds",
    "train": "fit a model to your images",
    "deadleaves": "write images of dead leaves, the standard synthetic data",
    "reproduce": "the paper's tables: fit, score and print a row beside the paper's figure",
    "quantize": "make the integer model that compress needs from a trained one",
    "app": "a page on this machine: inpainting, textures and likelihoods with a mouse",
    "models": "the trained models that come with ride, and how they were made",
}
"""Each is the class `Command` of the module of that name; nothing is imported before it is needed."""

FAILED, USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ride` with the given arguments (of the process by default) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if started_together():
        _run_together(words)
    status, last_words = _run(words)
    if last_words:
        print(last_words, file=sys.stderr)
    return status


def _run_together(words: list[str]) -> NoReturn:
    """Do this process's part of the work; of all that end with last words one says them."""
    together: Together | None = None
    try:
        together = Together()
        with together.quiet():
            status, last_words = _run(words)
            if not last_words:
                together.part()
    except KeyboardInterrupt:
        # Before the work or after it.
        status, last_words = INTERRUPTED, "ride: interrupted"
    except RankError as error:
        status, last_words = _complain(str(error), FAILED)
    except Exception:
        status, last_words = FAILED, traceback.format_exc().rstrip()
    if last_words and (together.speaks() if together else is_first()):
        print(last_words, file=sys.stderr)
    # After good work too: what PyTorch does at its end aborts now and then.
    leave(status)


def _run(words: list[str]) -> tuple[int, str]:
    """Run `ride`: the exit status, and what remains to be said of a failure."""
    if not words or words[0] in ("-h", "--help", "help"):
        from ride.cli.welcome import welcome

        welcome(COMMANDS)
        return 0, ""
    if words[0] == "--version":
        print(f"ride {version('ride-density')}")
        return 0, ""
    if words[0] not in COMMANDS:
        near = get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
        return _complain(f"there is no command {words[0]!r}: {hint}", USAGE)
    command: Options | None = None
    try:
        command = _parse(words[0], words[1:])
        if started_together() and not command.divided:
            raise UsageError(f"ride {words[0]} works in one process: start it without torchrun")
        command.run()
    except RideError as error:
        if os.environ.get("RIDE_DEBUG"):
            raise
        return _complain(str(error), USAGE if isinstance(error, UsageError) else FAILED)
    except BrokenPipeError:
        # Whoever reads, such as `head`, has seen enough; Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED, ""
    except OSError as error:
        if os.environ.get("RIDE_DEBUG"):
            raise
        where = f": {error.filename}" if error.filename else ""
        return _complain(f"{error.strerror or error}{where}", FAILED)
    except (MemoryError, RuntimeError) as error:
        if os.environ.get("RIDE_DEBUG") or not _out_of_memory(error):
            raise
        return _complain("there is not enough memory for this: use fewer or smaller images or tiles", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED, f"ride: interrupted: {command.kept() if command else 'nothing was written'}"
    except SystemExit as stop:
        # The parser has said what was wrong, or printed its help.
        return stop.code if isinstance(stop.code, int) else FAILED, ""
    return 0, ""


def _parse(name: str, words: list[str]) -> Options:
    import tyro

    command: type[Options] = importlib.import_module(f"ride.cli.{name}").Command
    flags = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
    return tyro.cli(command, prog=f"ride {name}", args=words, config=flags)


def _out_of_memory(error: Exception) -> bool:
    """PyTorch has a type for it on accelerators only."""
    return isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error)


def _complain(message: str, status: int) -> tuple[int, str]:
    return status, f"ride: error: {' '.join(message.split())}"
