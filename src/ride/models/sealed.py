"""Safetensors files with metadata and a checksum over all of it, verified when they are read; never a pickle."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ride.atomic import write_bytes
from ride.errors import ModelError


def write_sealed(path: str | Path, texts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    """Write texts (`format` and `schema` among them) and tensors whole or not at all.

    Raises `OutputError` where the disk is full or the directory cannot be written.
    """
    write_bytes(path, safetensors.torch.save(dict(tensors), {**texts, "sha256": digest(texts, tensors)}))


def open_sealed(source: str, data: bytes, form: str, schema: int) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The texts and tensors of a file's bytes, verified against its checksum; `source` names it in messages.

    Raises `ModelError` for anything but an intact file of this format and schema.
    """
    try:
        tensors = safetensors.torch.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as error:
        # Only now: a model file may begin with the same bytes, as the length of its header has it.
        if data.startswith((b"PK\x03\x04", b"\x80")):
            raise ModelError(
                f"{source} is a pickle, which is never opened: give a .safetensors file of ride's"
            ) from error
        raise ModelError(f"{source} is not a model file or is damaged: {error}") from error
    texts: dict[str, str] = header.get("__metadata__") or {}
    if texts.get("format") != form:
        raise ModelError(f"{source} {_stranger(texts.get('format'))}")
    checksum = texts.pop("sha256", None)
    if texts.get("schema") != str(schema):
        raise ModelError(
            f"{source} has schema {texts.get('schema')} and this version of ride reads {schema}: update ride"
        )
    if checksum != digest(texts, tensors):
        raise ModelError(f"{source} is damaged: its contents do not match its checksum")
    return texts, tensors


def _stranger(form: str | None) -> str:
    if form == "ride":
        return "is a model in floating point where one in integers is needed: make it with `ride quantize`"
    if form == "ride-integer":
        return "is a model in integers, for `ride compress`, where one in floating point is needed"
    return "was not written by ride: it is a safetensors file of something else"


def read_part(source: str, texts: Mapping[str, str], name: str) -> dict[str, Any]:
    """The text of a name as JSON, which holds an object.

    Raises:
        ModelError: it is not there, or something else.
    """
    try:
        part = json.loads(texts.get(name, ""))
    except (ValueError, RecursionError):
        part = None
    if not isinstance(part, dict):
        raise ModelError(f"{source} has no {name} that can be read: it was not written by ride")
    return part


def digest(texts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the metadata and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256()
    for key in sorted(texts):
        digest.update(json.dumps([key, texts[key]]).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        raw = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape), len(raw)]).encode())
        digest.update(raw)
    return digest.hexdigest()
