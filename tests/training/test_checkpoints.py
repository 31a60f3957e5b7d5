"""Checkpoints bring back what was written, to the last bit, or say that they cannot."""

import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from ride.errors import ModelError, OutputError
from ride.training.checkpoints import load_checkpoint, save_checkpoint


def there_and_back(path: Path, tree: Any) -> Any:
    save_checkpoint(path, tree)
    return load_checkpoint(path)


@pytest.mark.parametrize(
    "tree",
    [
        None,
        {},
        [],
        'text with ümlauts and "quotes"',
        {"state": {0: {"step": 3, "lr": 0.1}, 1: {}}, "groups": [{"params": [0, 1], "betas": [0.9, 0.999]}]},
        {"items": {"tensor": "0"}, "list": [{"items": []}], "tensor": None},
        [1, 1.0, True, False, None, -0.0, 1e-310, 0.1 + 0.2, 2**70, math.inf, -math.inf],
    ],
)
def test_trees_of_plain_things_come_back(tmp_path: Path, tree: Any):
    found = there_and_back(tmp_path / "c", tree)
    assert found == tree
    assert repr(found) == repr(tree)


def test_nan_comes_back(tmp_path: Path):
    assert math.isnan(there_and_back(tmp_path / "c", [math.nan])[0])


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(3, 4),
        torch.randn(3, 4).t(),
        torch.randn(5, dtype=torch.float64)[::2],
        torch.tensor(True),
        torch.tensor([]),
        torch.zeros(0, 3, dtype=torch.int64),
        torch.tensor(2**62),
        torch.tensor([math.nan, math.inf, -0.0]),
        torch.nn.Parameter(torch.ones(2)),
        torch.ones(3, dtype=torch.bfloat16),
    ],
)
def test_tensors_come_back_bit_for_bit(tmp_path: Path, tensor: torch.Tensor):
    found = there_and_back(tmp_path / "c", {"a": [tensor, {"b": tensor}]})
    for one in (found["a"][0], found["a"][1]["b"]):
        assert (one.dtype, one.shape) == (tensor.dtype, tensor.shape)
        ours, theirs = (t.detach().contiguous().flatten().view(torch.uint8) for t in (one, tensor))
        assert torch.equal(ours, theirs)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, {"position": {"stage": 1, "best": -math.inf}, "model": {"w": torch.randn(3)}, "log_size": 7})
    return path


def test_a_truncated_checkpoint_is_refused_by_name(written: Path):
    data = written.read_bytes()
    for length in (*range(40), *range(40, len(data), 13), len(data) - 1):
        written.write_bytes(data[:length])
        with pytest.raises(ModelError, match=r"checkpoint\.safetensors.*remove it"):
            load_checkpoint(written)


def test_a_flipped_bit_anywhere_is_refused_by_name(written: Path):
    data = written.read_bytes()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        written.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"checkpoint\.safetensors.*remove it"):
            load_checkpoint(written)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path):
    for name, data in {
        "text": b"no checkpoint at all",
        "pickle": pickle.dumps({"a": 1}),
        "model": save({"w": torch.ones(2)}, {"format": "ride"}),
        "plain": save({"w": torch.ones(2)}),
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ModelError, match=name):
            load_checkpoint(path)
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ModelError, match=path.name):
            load_checkpoint(path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(written: Path, monkeypatch: pytest.MonkeyPatch):
    before = written.read_bytes()

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        save_checkpoint(written, {"a": 1})
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == [written.name]
