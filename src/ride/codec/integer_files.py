"""Files of integer models: safetensors with a card and a checksum; nothing is ever unpickled."""

import json
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ride.codec import scales
from ride.codec.integer import IntegerHead, IntegerLayer, IntegerModel, Integers, Tables
from ride.errors import ConfigError, ModelError
from ride.models.neighborhood import Neighborhood
from ride.models.sealed import open_sealed, read_part, write_sealed

FORMAT = "ride-integer"
SCHEMA = 1
LARGEST = "largest_memory"
"""Where memory units end, in files of models where that is not where they all end."""
GIVEN = "given"
"""How many planes are given, in files of models that are given any."""
COLOURS, TABLES = "colours.", "tables."
"""What the names of the numbers of models of colours begin with, and those of tables, which they share."""
WIDE = (".bias", ".eta")
"""Numbers that need 64 bits; all others have 32."""


def save_integer(model: IntegerModel, path: str | Path, card: Mapping[str, Any]) -> None:
    """Write an integer model and its card whole or not at all.

    Raises `OutputError` where it cannot be written, `ConfigError` for a card that JSON cannot hold, `ModelError` for a
    number that its type cannot hold.
    """
    tensors = {}
    for name, values in _arrays(model).items():
        kind = np.int64 if name.endswith(WIDE) else np.int32
        if values.size and max(-int(values.min()), int(values.max())) > np.iinfo(kind).max:
            raise ModelError(f"cannot write {path}: {name} has numbers of more than 32 bits")
        tensors[name] = torch.from_numpy(values.astype(kind))
    try:
        text = json.dumps(dict(card), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the card of {path} must hold only what JSON can: {error}") from error
    texts = {"format": FORMAT, "schema": str(SCHEMA), "card": text}
    for prefix, one in _parts(model).items():
        texts[f"{prefix}neighborhood"] = str(one.neighborhood.width)
        if one.neighborhood.given and not prefix:
            texts[GIVEN] = str(one.neighborhood.given)
        if one.largest_memory != scales.LARGEST_MEMORY:
            texts[f"{prefix}{LARGEST}"] = str(one.largest_memory)
    write_sealed(path, texts, tensors)


def _parts(model: IntegerModel) -> dict[str, IntegerModel]:
    """The model and those of colours, with what their names begin with in a file."""
    return {"": model, **{f"{COLOURS}{given}.": one for given, one in enumerate(model.colours or (), start=1)}}


def _arrays(model: IntegerModel) -> dict[str, Integers]:
    """All numbers of all of them."""
    return {
        f"{prefix}{name}": values
        for prefix, one in _parts(model).items()
        for name, values in one.arrays().items()
        if not (prefix and name.startswith(TABLES))
    }


def load_integer(path: str | Path) -> IntegerModel:
    """Read an integer model from a file or by the name of a bundled one.

    Raises `ModelError` for anything but an intact file of an integer model that can be evaluated exactly.
    """
    source, texts, tensors = _read(path)
    arrays = {name: _integers(source, name, tensor) for name, tensor in tensors.items()}
    try:
        colours = None
        if f"{COLOURS}1.neighborhood" in texts:
            colours = _model(texts, arrays, 1), _model(texts, arrays, 2)
        model = _model(texts, arrays, 0, colours)
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(f"{source} is not a whole integer model: {error}") from error
    except ModelError as error:
        raise ModelError(f"{source} cannot be used: {error}") from error
    if _arrays(model).keys() != arrays.keys():
        raise ModelError(f"{source} has unknown parts: {', '.join(sorted(arrays.keys() - _arrays(model).keys()))}")
    return model


def _model(
    texts: Mapping[str, str],
    arrays: Mapping[str, Integers],
    colour: int,
    colours: tuple[IntegerModel, IntegerModel] | None = None,
) -> IntegerModel:
    """The model itself, or one of those of colours, which are given as many planes as their number says."""
    prefix = f"{COLOURS}{colour}." if colour else ""
    depth = sum(name.startswith(f"{prefix}layers.") and name.endswith(".weight") for name in arrays)
    given = colour or int(texts.get(GIVEN, 0))
    return IntegerModel(
        Neighborhood(int(texts[f"{prefix}neighborhood"]), given),
        tuple(
            IntegerLayer(arrays[f"{prefix}layers.{number}.weight"], arrays[f"{prefix}layers.{number}.bias"])
            for number in range(depth)
        ),
        IntegerHead(**{part.name: arrays[f"{prefix}head.{part.name}"] for part in fields(IntegerHead)}),
        Tables(**{part.name: arrays[f"{TABLES}{part.name}"] for part in fields(Tables)}),
        int(texts.get(f"{prefix}{LARGEST}", scales.LARGEST_MEMORY)),
        colours,
    )


def load_integer_card(path: str | Path) -> dict[str, Any]:
    """Read the card of an integer model, found and checked like `load_integer` does."""
    source, texts, _ = _read(path)
    return read_part(source, texts, "card")


def bundled_integers() -> list[str]:
    """Names of the integer models that come with the package."""
    folder = resources.files("ride").joinpath("codec", "bundled")
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return sorted(name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors"))


def _read(path: str | Path) -> tuple[str, dict[str, str], dict[str, Tensor]]:
    if str(path) in bundled_integers():
        data = resources.files("ride").joinpath("codec", "bundled", f"{path}.safetensors").read_bytes()
        source = f"the bundled integer model {path}"
    else:
        source = str(path)
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            known = ", ".join(bundled_integers()) or "none"
            raise ModelError(
                f"cannot read the integer model {path}: {error.strerror}; give a file that `ride quantize` has made"
                f" or a bundled one ({known})"
            ) from error
    return source, *open_sealed(source, data, FORMAT, SCHEMA)


def _integers(source: str, name: str, tensor: Tensor) -> Integers:
    if tensor.dtype != (torch.int64 if name.endswith(WIDE) else torch.int32):
        raise ModelError(f"{source} has numbers of type {tensor.dtype} in {name}")
    return tensor.numpy().astype(np.int64)
