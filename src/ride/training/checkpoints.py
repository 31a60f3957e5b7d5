"""Checkpoints: any tree of numbers, strings and tensors as one safetensors file, written atomically, never pickled."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ride import ranks
from ride.atomic import write_bytes
from ride.errors import ModelError


def save_checkpoint(path: Path, tree: Any) -> None:
    """Write a tree of dicts, lists, tuples, numbers, strings, None and tensors; tuples come back as lists.

    Raises:
        OutputError: the file cannot be written; the one before stays as it was.
    """
    write_bytes(path, _encode(tree))


def load_checkpoint(path: Path) -> Any:
    """Read what `save_checkpoint` wrote, if it is intact to the last bit.

    Raises:
        ModelError: the file is not a checkpoint or is damaged.
    """
    try:
        return _decode(path.read_bytes())
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"{path} is not a readable checkpoint ({error}): remove it to start the run anew") from error


def from_main(make: Callable[[], Any]) -> Any:
    """The tree that `make` returns on rank 0, where alone it is called, on all ranks.

    Raises:
        RideError: what it raised there.
    """
    if ranks.count() == 1:
        return make()
    return _decode(ranks.from_main(lambda: _encode(make())))


def _encode(tree: Any) -> bytes:
    tensors: dict[str, Tensor] = {}
    plan = json.dumps(_pack(tree, tensors))
    return safetensors.torch.save(tensors, {"tree": plan, "sha256": _digest(plan, tensors)})


def _decode(data: bytes) -> Any:
    """The tree of a checkpoint; raises what its parts raise where they are damaged."""
    tensors = safetensors.torch.load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    texts = header["__metadata__"]
    if texts.get("sha256") != _digest(texts["tree"], tensors):
        raise ValueError("its contents do not match its checksum")
    return _unpack(json.loads(texts["tree"]), tensors)


def _pack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, Tensor):
        name = str(len(tensors))
        # safetensors refuses storage shared between tensors.
        tensors[name] = tree.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"items": [[key, _pack(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return {"list": [_pack(value, tensors) for value in tree]}
    return tree


def _unpack(plan: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(plan, dict):
        return plan
    if "tensor" in plan:
        return tensors[plan["tensor"]]
    if "items" in plan:
        return {key: _unpack(value, tensors) for key, value in plan["items"]}
    return [_unpack(value, tensors) for value in plan["list"]]


def _digest(plan: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the plan and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(plan.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
