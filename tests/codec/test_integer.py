"""Integer models are evaluated exactly or not at all, and come back from their files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.codec.small import small_model

from ride.codec import bundled_integers, load_integer, load_integer_card, save_integer
from ride.codec.integer import IntegerLayer, prove, sums
from ride.errors import ConfigError, ModelError
from ride.models.files import load
from ride.models.neighborhood import Neighborhood
from ride.models.sealed import write_sealed


def test_the_bound_is_that_of_the_worst_input():
    weight, largest = np.array([[3, -4], [1, 1]]), np.array([2**40, 2**50])
    prove("it", sums(weight, largest, np.array([-(2**53 - 3 * 2**40 - 2**52 - 1), 0])))
    with pytest.raises(ModelError, match="sums of it may reach 2\\^54"):
        prove("it", sums(weight, largest, np.array([2**53 - 3 * 2**40 - 2**52, 0])))
    least = np.iinfo(np.int64).min
    for numbers in ([2**62, 2**62, 0], [0, least, 0], [0, 0, least]):
        # Beyond 64 bits, and where they have no absolute value.
        with pytest.raises(ModelError, match="may reach"):
            prove("it", sums(np.array([numbers[:2]]), np.array([2**62, 2**62]), np.array(numbers[2:])))


def test_models_that_would_round_are_refused():
    model = small_model()
    layer, large = model.layers[0], model.head.weight.copy()
    large[: model.features] <<= 10
    for broken in (
        {"layers": (IntegerLayer(layer.weight << 30, layer.bias),)},
        {"layers": (IntegerLayer(layer.weight, layer.bias << 24),)},
        {"head": replace(model.head, weight=model.head.weight << 18)},
        {"head": replace(model.head, inverse=model.head.inverse << 24)},
        {"head": replace(model.head, energy=model.head.energy << 12)},
        {"head": replace(model.head, eta=model.head.eta << 20)},
        {"head": replace(model.head, energy_bits=model.head.energy_bits + 30)},
        # Sums of features stay exact; those of their squares do not.
        {"head": replace(model.head, weight=large)},
        {"head": replace(model.head, eta=0 * model.head.eta + np.iinfo(np.int64).max)},
        {"head": replace(model.head, bias=0 * model.head.bias + np.iinfo(np.int64).min)},
        {"layers": (IntegerLayer(layer.weight, 0 * layer.bias + np.iinfo(np.int64).max),)},
    ):
        with pytest.raises(ModelError, match=r"exact|no sense"):
            replace(model, **broken)


def test_parts_that_do_not_fit_are_refused():
    model = small_model()
    layer, tables = model.layers[0], model.tables
    for broken in (
        {"layers": ()},
        {"layers": (IntegerLayer(layer.weight[:, 1:], layer.bias),)},
        {"layers": (IntegerLayer(layer.weight, layer.bias[1:]),)},
        {"head": replace(model.head, eta=model.head.eta[1:])},
        {"head": replace(model.head, energy=model.head.energy[:, :1])},
        {"tables": replace(tables, sigmoid=tables.sigmoid[::-1])},
        {"tables": replace(tables, normal=tables.normal + 2**23)},
        {"tables": replace(tables, exp=tables.exp * 0)},
        {"tables": replace(tables, exp=np.stack([tables.exp, -tables.exp]).T)},
        {"tables": replace(tables, exp=tables.exp[:, None])},
        {"tables": replace(tables, normal=np.array(5))},
        {"layers": (IntegerLayer(layer.weight, np.array(0)),)},
        {"head": replace(model.head, bias=model.head.bias[:, None])},
        {"head": replace(model.head, energy=model.head.energy[:, 0])},
        {"neighborhood": Neighborhood(10**9 + 1)},
        {"largest_memory": 0},
        {"largest_memory": 2**31 + 1},
    ):
        with pytest.raises(ModelError, match="the integer model has"):
            replace(model, **broken)


def test_a_file_brings_back_the_model(tmp_path: Path):
    model = small_model(3, 2)
    save_integer(model, tmp_path / "m.safetensors", {"made": "here"})
    again = load_integer(tmp_path / "m.safetensors")
    assert again.digest == model.digest
    assert again.neighborhood == model.neighborhood
    assert all(np.array_equal(values, again.arrays()[name]) for name, values in model.arrays().items())
    assert load_integer_card(tmp_path / "m.safetensors") == {"made": "here"}
    assert small_model(3, 2, seed=5).digest != model.digest


def test_a_file_says_where_memory_ends(tmp_path: Path):
    model = replace(small_model(), largest_memory=2**12)
    save_integer(model, tmp_path / "m.safetensors", {})
    again = load_integer(tmp_path / "m.safetensors")
    assert again.largest_memory == 2**12
    assert again.digest == model.digest
    assert small_model().digest != model.digest


def test_files_that_are_no_integer_model(tmp_path: Path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(ModelError, match=r"cannot read the integer model .*bsds300"):
        load_integer(path)
    save_integer(small_model(), path, {})
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ModelError, match="checksum"):
        load_integer(path)
    path.write_bytes(data)
    with pytest.raises(ModelError, match="in integers, for `ride compress`"):
        load(path)
    with pytest.raises(ConfigError, match="JSON"):
        save_integer(small_model(), path, {"bad": object()})
    assert path.read_bytes() == data


@pytest.mark.parametrize("card", ["", "[1]", "{", "[" * 10**5])
def test_a_card_that_cannot_be_read_is_named(tmp_path: Path, card: str):
    path = tmp_path / "m.safetensors"
    write_sealed(path, {"format": "ride-integer", "schema": "1", "card": card}, {})
    with pytest.raises(ModelError, match=r"m\.safetensors has no card"):
        load_integer_card(path)


def test_a_model_comes_with_the_package():
    assert bundled_integers() == ["bsds300", "bsds300-fast"]
    model = load_integer("bsds300")
    # Streams name it: another model needs another name.
    assert model.digest[:8].hex() == "f906de43c2feb53a"
    assert model.hidden == 64
    assert "made" in load_integer_card("bsds300")
