"""One answer everywhere: whatever computes, the bytes are those kept here."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.codec.small import small_model, smooth_image

from ride.codec import decode, encode

GOLDEN = (
    "89524944450d0a1a01080100100000001400000010000000c72735b2615bab1f039f000000b565fc58bd51b111032c000000"
    "ce3a36f79df166b7e6d6821055da229dab0d99ba305aaf3eb1e10859c39ea81b63750201b030b8fecda61e237f25460c2c26"
    "53d2ca03167d99d7eb39b7bd9bd0e0109be86022199059857f9268b58858c9edc0ff2e9f4d66b57ccdadaa75e7de89234e95"
    "98a8e8d63d6756dfc0108e48d378b36c80d3eda7f367377e3a351a8dcc7c37f19e720a5c57ffb9a16d5320fd47849ea85ec1"
    "f8a9c66685650696bd7a3c459f8885e1f7f58e2a016ee0d7fbb1bfe77fc5e32ed270cc3afa58a5935f171d7e81363c33032c"
    "d356459507207c879ce8d617542b11"
)
"""A file of an image of 16 x 20 pixels under the small model."""
BUNDLED = [
    "a33ff453679b1cec68555edcddd401791efe9e52b8b99926da22bd8d542692c7",
    "5ffa461f8db9a23e94c32e68902361d15451bac65dc8dee58817938125ae06c7",
]
"""SHA-256 of the files of an image of 40 x 56 pixels, in gray and in colour, under the bundled models."""


@pytest.mark.usefixtures("kernels")
def test_the_golden_bytes():
    image = smooth_image(16, 20)
    data = encode(image, small_model(), side=16)
    assert data.hex() == GOLDEN
    assert np.array_equal(decode(bytes.fromhex(GOLDEN), small_model()), image)


def digests() -> list[str]:
    """What this process makes of images that have more than one tile."""
    colour = np.stack([smooth_image(40, 56, seed) for seed in (2, 3, 4)], axis=2)
    files = []
    for image in (colour[..., 0], colour):
        files.append(encode(image, side=32))
        assert np.array_equal(decode(files[-1]), image)
    return [hashlib.sha256(data).hexdigest() for data in files]


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_any_number_of_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert digests() == BUNDLED
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "variables",
    [
        {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "MKL_DEBUG_CPU_TYPE": "0", "ATEN_CPU_CAPABILITY": "default"},
        {"MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Nehalem"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3", "ATEN_CPU_CAPABILITY": "avx2", "RIDE_NATIVE": "0"},
    ],
    ids=["old vectors", "compatible products", "nothing compiled"],
)
def test_any_instructions_of_the_processor(variables):
    """Libraries take other paths through their kernels when told that the processor is an older one."""
    code = "from tests.codec.test_exact import digests; print(*digests())"
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **variables, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == BUNDLED, done.stderr


def test_products_need_not_be_of_torch(monkeypatch):
    """A product whose terms are added one after another, from the last to the first."""
    from ride.codec import states

    def backwards(x, weight, bias, out=None):
        total = np.zeros((len(x), len(bias)))
        for k in reversed(range(weight.shape[0])):
            total += x[:, k : k + 1] * weight[k]
        return total + bias

    monkeypatch.setattr(states, "product", backwards)
    assert digests() == BUNDLED
