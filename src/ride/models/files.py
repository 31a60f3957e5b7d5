"""Model files: safetensors with the configuration, a card and a checksum; nothing is ever unpickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor

from ride.errors import ConfigError, ModelError
from ride.models.ride import RIDE, RIDEConfig
from ride.models.sealed import open_sealed, read_part, write_sealed

FORMAT = "ride"
SCHEMA = 1
KINDS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
"""Of numbers that a model may consist of."""
RUN_MODEL = "model.safetensors"
"""The best model of a run directory."""


def save(model: RIDE, path: str | Path, card: Mapping[str, Any]) -> None:
    """Write a model and its card (anything JSON can hold: how it was made, its rate) whole or not at all.

    Raises `OutputError` where the disk is full or the directory cannot be written, `ConfigError` for a card
    that JSON cannot hold.
    """
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in model.state_dict().items()}
    try:
        texts = {
            "format": FORMAT,
            "schema": str(SCHEMA),
            "config": json.dumps(asdict(model.config)),
            "card": json.dumps(dict(card), allow_nan=False),
        }
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the card of {path} must hold only what JSON can: {error}") from error
    write_sealed(path, texts, tensors)


def load(path: str | Path) -> RIDE:
    """Read a model from a file, a run directory (its best model) or by the name of a bundled one.

    A bundled name goes before a path of the same name; write `./name` for the path. The model is on the CPU
    and in evaluation mode. Raises `ModelError` for anything but an intact model file.
    """
    source, settings, _, tensors = _read(path)
    config = _config(source, settings)
    if config.layers > len(tensors):
        raise ModelError(f"{source} does not fit its configuration: it has fewer parts than {config.layers} layers")
    try:
        # Without memory or random numbers: the file provides every value.
        with torch.device("meta"):
            model = RIDE(config)
    except (ConfigError, RuntimeError, TypeError, OverflowError) as error:
        raise ModelError(f"{source} has settings that make no sense: {str(error).splitlines()[0]}") from error
    _check_tensors(source, model.state_dict(), tensors)
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def load_card(path: str | Path) -> dict[str, Any]:
    """Read the card of a model, found and checked like `load` does."""
    _, _, card, _ = _read(path)
    return card


def bundled_names() -> list[str]:
    """Return the names of the models that come with the package."""
    folder = resources.files("ride").joinpath("bundled")
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return sorted(name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors"))


def _read(path: str | Path) -> tuple[str, dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    """Return what to call the file, its configuration, card and tensors, all verified against the checksum."""
    source, data = _bytes(path)
    texts, tensors = open_sealed(source, data, FORMAT, SCHEMA)
    return source, read_part(source, texts, "config"), read_part(source, texts, "card"), tensors


def _bytes(path: str | Path) -> tuple[str, bytes]:
    if str(path) in bundled_names():
        resource = resources.files("ride").joinpath("bundled", f"{path}.safetensors")
        return f"the bundled model {path}", resource.read_bytes()
    file = Path(path)
    if file.is_dir():
        file = file / RUN_MODEL
    try:
        return str(file), file.read_bytes()
    except FileNotFoundError as error:
        known = ", ".join(bundled_names()) or "none"
        raise ModelError(
            f"there is no model {file}: give a .safetensors file, a run directory or a bundled model ({known})"
        ) from error
    except OSError as error:
        raise ModelError(f"cannot read the model {file}: {error.strerror}") from error


def _config(source: str, settings: Mapping[str, Any]) -> RIDEConfig:
    types = get_type_hints(RIDEConfig)
    # A whole number may stand for one with decimals.
    whole = {name: float(n) for name, n in settings.items() if type(n) is int and types.get(name) == float | None}
    settings = {**settings, **whole}
    strange = [name for name in settings if name not in types or not isinstance(settings[name], types[name])]
    if strange:
        raise ModelError(f"{source} has settings that this version of ride cannot read: {', '.join(strange)}")
    try:
        return RIDEConfig(**settings)
    except ConfigError as error:
        raise ModelError(f"{source} has settings that make no sense: {error}") from error


def _check_tensors(source: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise `ModelError` unless names and shapes are as expected, and floating point types all the same."""
    for verb, names in (
        ("lacks", expected.keys() - found.keys()),
        ("has unknown", found.keys() - expected.keys()),
    ):
        if names:
            raise ModelError(f"{source} does not fit its configuration: it {verb} {', '.join(sorted(names))}")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            raise ModelError(
                f"{source} does not fit its configuration: {name} has shape {list(found[name].shape)}"
                f" and should have {list(tensor.shape)}"
            )
        if found[name].is_floating_point() != tensor.is_floating_point():
            raise ModelError(f"{source} does not fit its configuration: {name} has type {found[name].dtype}")
    floating = {tensor.dtype for tensor in found.values() if tensor.is_floating_point()}
    if len(floating) > 1:
        raise ModelError(f"{source} mixes tensors of {len(floating)} floating point types")
    if not floating <= KINDS:
        raise ModelError(
            f"{source} has numbers of a type in which nothing can be computed: {', '.join(map(str, floating))}"
        )
