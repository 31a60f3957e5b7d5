"""How much memory a process needs to encode an image: `python -m ride.experiments.codec_memory KIND FILE`.

A process of its own, for the largest memory of one that has done other work before says nothing.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ride.baselines.codecs import Codec, Pixels, codec
from ride.errors import CodecError

OWN = "ride:"


def way(kind: str, turns: int = 1) -> Codec:
    """A codec of `ride.baselines.codecs`, or for `ride:MODEL` this package's own with an integer model.

    `turns` says how many flips and transposes our own tries.

    Raises:
        ConfigError: there is no such codec, or the library that has it is not installed.
        ModelError: there is no such model.
    """
    if not kind.startswith(OWN):
        return codec(kind)
    # PyTorch comes with it, whose memory the others need not have.
    from ride.codec import decode, encode, load_integer

    model = load_integer(kind.removeprefix(OWN))
    return Codec(lambda pixels: encode(pixels, model, turns=turns), lambda data, channels: decode(data, model))


def peaks(kind: str, pixels: Pixels) -> tuple[int, int]:
    """The largest memory, in bytes, of a process that encodes an image, and that before it begins to.

    Raises:
        CodecError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pixels.npy"
        np.save(file, pixels)
        words = [sys.executable, "-m", "ride.experiments.codec_memory", kind, str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CodecError(f"the memory of {kind} could not be measured: {done.stderr.strip().splitlines()[-1:]}")
    before, after = map(int, done.stdout.split())
    return after, before


def peak() -> int:
    """The largest memory of this process until now, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # What `getrusage` says under Linux begins with the memory of the process that started this one.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(kind: str, file: str) -> None:
    """Encode, and print the largest memory before and after."""
    pixels = np.load(file, allow_pickle=False)
    chosen = way(kind)
    # Libraries that are loaded with the first use.
    chosen.encode(np.zeros((2, 2), np.uint8))
    before = peak()
    chosen.encode(pixels)
    print(before, peak())


if __name__ == "__main__":
    main(*sys.argv[1:])
