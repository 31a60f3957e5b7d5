"""Model files come back as they were written, or not at all."""

import errno
import json
import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ride.errors import ConfigError, ModelError, OutputError
from ride.models import files, sealed
from ride.models.files import bundled_names, load, load_card, save
from ride.models.ride import RIDE, RIDEConfig

CARD = {"made": "für eine Prüfung", "rate": 3.81, "stages": [1, 2], "note": None}
TINY = RIDEConfig(neighborhood=3, layers=1, hidden=2, components=2, scales=2, features=2)
CONFIGS = [
    TINY,
    RIDEConfig(neighborhood=3, layers=0, components=2, features=None),
    RIDEConfig(
        neighborhood=3, layers=2, hidden=3, extended=True, largest_memory=0.5, channels=2, components=2, means=True
    ),
]


def tiny(config=TINY):
    model = RIDE(config)
    model.fit_whitening([torch.rand(2, 9, 9, *([config.channels] if config.channels > 1 else []))])
    return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(tiny(), tmp_path / "tiny.safetensors", CARD)
    return tmp_path / "tiny.safetensors"


def rewrite(path, change):
    """Write the file anew, consistent in itself, with its metadata and tensors changed."""
    data = path.read_bytes()
    tensors = safetensors.torch.load(data)
    texts = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    del texts["sha256"]
    change(texts, tensors)
    texts["sha256"] = sealed.digest(texts, tensors)
    path.write_bytes(safetensors.torch.save(tensors, texts))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_comes_back_bit_for_bit(tmp_path, config, dtype):
    model = tiny(config).to(dtype)
    save(model, tmp_path / "m.safetensors", CARD)
    again = load(tmp_path / "m.safetensors")
    assert again.config == config
    assert not again.training
    for (name, value), (other_name, other) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other_name
        assert torch.equal(value, other)
        assert value.dtype == other.dtype
    assert not any(tensor.is_meta for tensor in [*again.parameters(), *again.buffers()])
    assert all(parameter.requires_grad for parameter in again.parameters())
    images = torch.rand(1, 6, 7, *([config.channels] if config.channels > 1 else []), dtype=dtype)
    assert torch.equal(model.log_prob(images), again.log_prob(images))
    assert load_card(tmp_path / "m.safetensors") == CARD


def test_a_whole_number_stands_for_one_with_decimals(path: Path):
    def as_before(texts, tensors):
        texts["config"] = json.dumps({**json.loads(texts["config"]), "largest_memory": 1})

    rewrite(path, as_before)
    bound = load(path).config.largest_memory
    assert (bound, type(bound)) == (1, float)


def test_loading_draws_no_random_numbers(path):
    before = torch.get_rng_state()
    load(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_says_what_it_is(path):
    with safetensors.safe_open(path, "pt") as file:
        texts = file.metadata()
    assert texts["format"] == "ride"
    assert texts["schema"] == "1"
    assert json.loads(texts["config"])["hidden"] == 2


def test_a_run_directory_stands_for_its_best_model(path):
    run = path.parent / "run"
    run.mkdir()
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        load(run)
    path.rename(run / "model.safetensors")
    assert load(run).config == TINY
    assert load_card(run) == CARD


def test_bundled_models_go_by_name(path, monkeypatch, tmp_path):
    (tmp_path / "ride" / "bundled").mkdir(parents=True)
    (tmp_path / "ride" / "bundled" / "README.md").touch()
    path.rename(tmp_path / "ride" / "bundled" / "small.safetensors")
    monkeypatch.setattr(files.resources, "files", lambda name: tmp_path / name)
    assert bundled_names() == ["small"]
    assert load("small").config == TINY
    with pytest.raises(ModelError, match=r"no model large: .* bundled model \(small\)"):
        load("large")


def test_bundled_models_are_intact():
    assert bundled_names() == ["bsds300", "bsds300-fast", "deadleaves"]
    for name in bundled_names():
        assert isinstance(load(name), RIDE)
        assert load_card(name)


def test_every_truncation_is_noticed(path):
    data = path.read_bytes()
    for length in [*range(0, len(data), 13), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ModelError, match="damaged"):
            load(path)


@pytest.mark.parametrize("flip", [0x01, 0x20, 0xFF])
def test_every_flipped_byte_is_noticed(path, flip):
    data = path.read_bytes()
    for place in range(flip % 5, len(data), 5):
        path.write_bytes(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
        with pytest.raises(ModelError):
            load(path)


def test_trailing_bytes_are_noticed(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="damaged"):
        load(path)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_refused_and_never_opened(tmp_path, protocol):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Trap(), protocol))
    with pytest.raises(ModelError, match="pickle" if protocol else "not a model file"):
        load(tmp_path / "m.pkl")


def test_a_torch_file_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "m.pt")
    with pytest.raises(ModelError, match="pickle"):
        load(tmp_path / "m.pt")


def test_other_files_are_refused(tmp_path, path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(ModelError, match="not a model file"):
        load(tmp_path / "a.png")
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="not written by ride"):
        load(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda texts, tensors: texts.update(schema="2"), "schema 2 .* update ride"),
        (lambda texts, tensors: texts.update(format="else"), "not written by ride"),
        (lambda texts, tensors: texts.update(config='{"hidden": 3}'), "shape"),
        (lambda texts, tensors: texts.update(config='{"wings": 2}'), "cannot read: wings"),
        (lambda texts, tensors: texts.update(config='{"hidden": -1}'), "no sense: hidden"),
        (lambda texts, tensors: texts.update(config='{"hidden": "2"}'), "cannot read: hidden"),
        (lambda texts, tensors: texts.update(config='{"layers": 1000000000000}'), "fewer parts"),
        (lambda texts, tensors: texts.update(config='{"hidden": 4000000000000000000}'), "no sense"),
        (lambda texts, tensors: texts.update(config='{"hidden": 100000000000000000000}'), "no sense"),
        (lambda texts, tensors: texts.update(config='{"neighborhood": 1000000001}'), "no sense|shape"),
        (lambda texts, tensors: texts.update(config='{"neighborhood": 1}'), "no sense"),
        (lambda texts, tensors: texts.update(config="[" * 10**5), "no config"),
        (lambda texts, tensors: texts.update(card='{"a":' * 10**5), "no card"),
        (lambda texts, tensors: texts.pop("config"), "no config"),
        (lambda texts, tensors: texts.update(config="[1]"), "no config"),
        (lambda texts, tensors: texts.update(card="x"), "no card"),
        (lambda texts, tensors: tensors.pop("head.eta"), r"lacks head\.eta"),
        (lambda texts, tensors: tensors.update(tail=torch.zeros(1)), "unknown tail"),
        (
            lambda texts, tensors: tensors.update({"head.eta": torch.zeros(2, 3)}),
            r"shape \[2, 3\] .* \[2, 2\]",
        ),
        (lambda texts, tensors: tensors.update({"head.eta": torch.zeros(2, 2).long()}), "type"),
        (lambda texts, tensors: tensors.update({"head.eta": torch.zeros(2, 2).double()}), "2 floating"),
        (
            lambda texts, tensors: tensors.update(
                {name: value.to(torch.float8_e5m2) for name, value in tensors.items() if value.is_floating_point()}
            ),
            "float8_e5m2",
        ),
    ],
)
def test_what_does_not_fit_is_refused(path, change, message):
    rewrite(path, change)
    with pytest.raises(ModelError, match=message) as caught:
        load(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="there is no model"):
        load(tmp_path / "none.safetensors")


def test_a_card_that_json_cannot_hold_is_refused(tmp_path):
    for value in (object(), float("nan")):
        with pytest.raises(ConfigError, match="card"):
            save(tiny(), tmp_path / "m.safetensors", {"value": value})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_model(path, monkeypatch):
    before = path.read_bytes()

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        save(tiny(), path, CARD)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("first", [0x80, 0x50])
def test_a_header_whose_length_begins_as_a_pickle_is_read(tmp_path, first: int):
    model = RIDE(TINY)
    for spaces in range(300):
        save(model, tmp_path / "m.safetensors", {"note": " " * spaces})
        if (tmp_path / "m.safetensors").read_bytes()[0] == first:
            break
    else:
        pytest.fail("no length of the header begins in this way")
    assert load_card(tmp_path / "m.safetensors") == {"note": " " * spaces}
