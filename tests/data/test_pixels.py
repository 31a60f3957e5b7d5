"""Pixels that memory need not hold are the same as those it holds."""

import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ride.data import CropSampler, Picture, Pixels, Tiles, gathering, hold_out, open_pictures, pixels, seeded, sources
from ride.errors import DataError, OutputError

KINDS = [(np.uint8, 256, ()), (np.uint16, 65536, ()), (np.float32, None, ()), (np.uint8, 256, (3,))]


def pictures(kind: type, levels: int | None, channels: tuple[int, ...] = ()) -> list[Picture]:
    draw = np.random.default_rng(0)
    return [
        Picture(f"{k}", (draw.random((*side, *channels)) * (levels or 1)).astype(kind), levels)
        for k, side in enumerate([(9, 13), (20, 8), (11, 11)])
    ]


def drawn(flat: Pixels) -> list[torch.Tensor]:
    """Crops and tiles of all kinds."""
    tiles = Tiles(flat, 5)
    crops = CropSampler(flat, (4, 6), mirror=True).draw(50, seeded(1))
    return [crops, tiles.batch(torch.arange(len(tiles)), seeded(2))]


@pytest.mark.parametrize(("kind", "levels", "channels"), KINDS)
@pytest.mark.parametrize("limit", [0, 200, 500])
def test_pixels_in_a_file_give_the_same_patches(
    kind: type, levels: int | None, channels: tuple[int, ...], limit: int, monkeypatch: pytest.MonkeyPatch
):
    data = pictures(kind, levels, channels)
    inside = Pixels(data)
    monkeypatch.setattr(gathering, "IN_MEMORY", limit)
    monkeypatch.setattr(pixels, "BLOCK", 100)
    outside = Pixels(data)
    assert outside.flat.flags.writeable == (outside.flat.nbytes <= limit)
    assert inside.flat.dtype == outside.flat.dtype == kind
    assert outside.fingerprint == inside.fingerprint
    for one, other in zip(drawn(outside), drawn(inside), strict=True):
        assert torch.equal(one, other)


def test_no_file_is_left_or_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    flat = Pixels(pictures(np.uint8, 256))
    # Not even while it is in use: what ends the process can leave nothing.
    assert not list(tmp_path.iterdir())
    assert drawn(flat)
    with pytest.raises(DataError, match="must agree"):
        Pixels([*pictures(np.uint8, 256), *pictures(np.uint16, 65536)])
    del flat
    assert not list(tmp_path.iterdir())
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_memory_holds_no_more_than_the_limit_and_a_picture(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "IN_MEMORY", 2**18)
    monkeypatch.setattr(pixels, "BLOCK", 2**16)

    def made() -> Iterator[Picture]:
        for k in range(64):
            yield Picture(f"{k}", np.full((256, 256), k, dtype=np.uint8), 256)

    tracemalloc.start()
    try:
        flat = Pixels(made())
        assert len(flat.fingerprint) == 32
        CropSampler(flat, (16, 16)).draw(50, seeded(0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(flat.flat) == 2**22
    assert peak < 2**20


def test_a_folder_larger_than_memory_is_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = np.random.default_rng(0).integers(0, 256, (40, 128, 128), dtype=np.uint8)
    np.save(tmp_path / "many.npy", images)
    monkeypatch.setattr(gathering, "IN_MEMORY", 2**16)
    monkeypatch.setattr(sources, "KEPT_BYTES", 2**16)
    tracemalloc.start()
    try:
        training, held_out = hold_out(open_pictures(tmp_path / "many.npy"), 4, seed=0)
        both = Pixels(training), Pixels(held_out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(len(each.flat) for each in both) == images.size
    assert peak < images.size / 2
    assert sorted([*both[0].names, *both[1].names]) == sorted(f"{tmp_path}/many.npy[{k}]" for k in range(40))


def test_a_disk_without_room_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(OutputError, match=r"pixels into a temporary file.*TMPDIR"):
        Pixels(pictures(np.uint8, 256))
