"""Checkpoints: any tree of numbers, strings and tensors as one safetensors file, written atomically, never pickled."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ride.atomic import write_bytes
from ride.errors import ModelError


def save_checkpoint(path: Path, tree: Any) -> None:
    """Write a tree of dicts, lists, tuples, numbers, strings, None and tensors.

    Raises:
        OutputError: the file cannot be written; the one before stays as it was.
    """
    tensors: dict[str, Tensor] = {}
    plan = json.dumps(_pack(tree, tensors))
    write_bytes(path, save(tensors, metadata={"tree": plan}))


def load_checkpoint(path: Path) -> Any:
    """Read what `save_checkpoint` wrote.

    Raises:
        ModelError: the file is not a checkpoint or is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            plan = json.loads((file.metadata() or {})["tree"])
            return _unpack(plan, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ModelError(f"{path} is not a readable checkpoint ({error}); remove it to start the run anew") from error


def _pack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, Tensor):
        name = str(len(tensors))
        # safetensors refuses storage shared between tensors.
        tensors[name] = tree.detach().clone(memory_format=torch.contiguous_format)
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
