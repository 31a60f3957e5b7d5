"""Fitting: models get better, the best one stays, and what goes wrong is said."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.conftest import ADAM, SGD, correlated, growing, left, log_of, model_of, pictures, same

import ride
from ride.data import Picture, Tiles
from ride.errors import ConfigError, ModelError, OutputError
from ride.models.files import load, load_card
from ride.models.ride import RIDE
from ride.training import FitConfig, Stage, curriculum, fit
from ride.training.batches import Batches
from ride.training.run import Run
from ride.training.scoring import held_out_tiles, mean_rate, training_patches

TRAINING, HELD_OUT = pictures(), pictures(2, seed=9)


def rate_of(model: RIDE, images: list[Picture] = HELD_OUT, tile: int = 12) -> float:
    return mean_rate(model, held_out_tiles(Tiles(images, tile), 0))


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the held-out images have these rates after the stages."""

    def given(*rates: float) -> None:
        to_come: Iterator[float] = iter(rates)
        monkeypatch.setattr(curriculum, "mean_rate", lambda model, batches: next(to_come))

    return given


@pytest.mark.parametrize(
    ("layers", "optimizer", "rate"), [(0, "adam", 0.03), (1, "adam", 0.03), (1, "soap", 0.03), (1, "sgd", 0.3)]
)
def test_a_few_dozen_steps_make_a_model_better(layers: int, optimizer: Any, rate: float):
    training, held_out = pictures(6, (32, 32)), pictures(4, (32, 32), seed=9)
    config = replace(ADAM, optimizer=optimizer, batch=10, stages=(Stage(patch=12, steps=60, rate=rate),))
    model = model_of(layers)
    start = fit(model, training, held_out, replace(config, stages=(Stage(patch=12, steps=0, rate=0.0),)))
    end = fit(model, training, held_out, config)
    assert start.nats_per_pixel == pytest.approx(rate_of(model_of(layers), held_out), abs=10)
    assert end.nats_per_pixel > start.nats_per_pixel + 0.1
    assert rate_of(model, held_out) == end.nats_per_pixel


def test_a_deeper_model_has_its_layers_and_their_own_start():
    model = model_of(1)
    still = Stage(patch=8, steps=0, rate=0.0)
    config = replace(ADAM, forget_bias=1.5, stages=(still, replace(still, add_layer=True)))
    fit(model, TRAINING, config=config)
    assert (model.config.layers, len(model.layers)) == (2, 2)
    for layer in model.stack:
        assert torch.equal(layer.bias[: 3 * 3], torch.zeros(9))
        assert torch.equal(layer.bias[3 * 3 :], torch.full((6,), 1.5))


@pytest.mark.parametrize("config", [ADAM, SGD, growing(ADAM)])
def test_the_best_model_stays_in_the_model_and_in_the_file(config: FitConfig, scores: Any, tmp_path: Path):
    config = replace(config, stop_when_worse=False, stages=(*config.stages, Stage(patch=8, steps=2, rate=0.01)))
    first = model_of()
    fit(first, TRAINING, HELD_OUT, replace(config, stages=config.stages[:1]))
    scores(2.0, 1.0, 1.5)
    model = model_of()
    result = fit(model, TRAINING, HELD_OUT, config, directory=tmp_path)
    assert same(model, first)
    assert (result.nats_per_pixel, result.stages) == (2.0, 3)
    log, card = left(tmp_path, model)
    assert [line["nats_per_pixel"] for line in log if line["phase"] == "valid"] == [2.0, 1.0, 1.5]
    assert card["held_out_bits_per_pixel"] == 2.0 / math.log(2)


@pytest.mark.parametrize("config", [ADAM, SGD], ids=["fresh noise", "fixed noise"])
def test_the_images_to_train_on_are_not_held_out(config: FitConfig):
    with pytest.raises(ConfigError, match="held-out images are those to train on"):
        fit(model_of(), TRAINING, pictures(), config)


@pytest.mark.parametrize(("stop", "done", "best"), [(True, 3, 2.0), (False, 4, 3.0)])
def test_a_run_ends_when_it_gets_worse_if_told_to(stop: bool, done: int, best: float, scores: Any, tmp_path: Path):
    scores(1.0, 2.0, 1.9, 3.0)
    told: list[tuple[int, int]] = []
    stages = tuple(Stage(patch=8, steps=1, rate=0.01) for _ in range(4))
    config = replace(ADAM, stages=stages, stop_when_worse=stop)
    result = fit(
        model_of(),
        TRAINING,
        HELD_OUT,
        config,
        directory=tmp_path,
        progress=lambda done, total, message="": told.append((done, total)),
    )
    assert (result.stages, result.nats_per_pixel) == (done, best)
    assert told[-1][0] == told[-1][1]
    assert fit(model_of(), TRAINING, HELD_OUT, config, directory=tmp_path) == result


def test_an_equal_rate_is_not_worse(scores: Any):
    scores(1.0, 1.0)
    assert fit(model_of(), TRAINING, HELD_OUT, SGD).stages == 2


@pytest.mark.parametrize("config", [ADAM, SGD, growing(SGD)])
def test_without_held_out_images_the_last_model_stays(config: FitConfig, tmp_path: Path):
    model = model_of()
    result = fit(model, TRAINING, config=config, directory=tmp_path)
    log, card = left(tmp_path, model)
    rates = [line["nats_per_pixel"] for line in log if line["phase"] == "train"]
    assert len(rates) == result.stages == 2
    assert math.isfinite(result.nats_per_pixel)
    assert rates[-1] == result.nats_per_pixel
    assert card["training_bits_per_pixel"] == rates[-1] / math.log(2)
    assert "held_out_bits_per_pixel" not in card
    patches = training_patches(Batches(TRAINING, config), config.stages[-1])
    assert mean_rate(model, patches) == result.nats_per_pixel
    assert fit(model_of(), TRAINING, config=config, directory=tmp_path) == result


def test_the_result_needs_no_directory():
    result = fit(model_of(), TRAINING, HELD_OUT, ADAM)
    assert result.seconds > 0
    assert result.stages == 2


def test_the_log_says_what_is_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(curriculum, "LOG_STEPS", 2)
    fit(model_of(), TRAINING, HELD_OUT, ADAM, directory=tmp_path)
    log = log_of(tmp_path)
    assert [(line["stage"], line["phase"], line.get("step"), line.get("steps")) for line in log] == [
        (0, "steps", 2, 4),
        (0, "steps", 4, 4),
        (0, "valid", None, None),
        (1, "steps", 2, 3),
        (1, "steps", 3, 3),
        (1, "head", 5, 8),
        (1, "head", 8, 8),
        (1, "valid", None, None),
    ]
    assert all(line["bits_per_pixel"] == line["nats_per_pixel"] / math.log(2) for line in log)
    assert all(("learning_rate" in line) == (line["phase"] == "steps") for line in log)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(line["seconds"] >= 0 for line in lines)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["fit"] == json.loads(json.dumps(ADAM.identity()))
    assert run["model"] == model_of().config.identity()


def test_the_rates_of_steps_are_means_since_the_line_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rates = {}
    for every in (1, 2):
        monkeypatch.setattr(curriculum, "LOG_STEPS", every)
        fit(model_of(), TRAINING, HELD_OUT, ADAM, directory=tmp_path / str(every))
        log = log_of(tmp_path / str(every))
        rates[every] = [line["nats_per_pixel"] for line in log if line["phase"] == "steps"]
    a, b, c, d, e, f, g = rates[1]
    assert rates[2] == pytest.approx([(a + b) / 2, (c + d) / 2, (e + f) / 2, g])


def test_the_card_says_how_the_model_was_made(tmp_path: Path):
    fit(model_of(), TRAINING, HELD_OUT, ADAM, directory=tmp_path, card={"data": "walks"})
    card = load_card(tmp_path)
    assert card["data"] == "walks"
    assert card["fit"] == json.loads(json.dumps(asdict(ADAM)))


@pytest.mark.parametrize("card", [{"a": {1, 2}}, {"a": math.nan}, {"a": Path()}])
def test_a_card_that_json_cannot_hold_is_refused_at_once(card: dict[str, Any], tmp_path: Path):
    with pytest.raises(ConfigError, match="card"):
        fit(model_of(), TRAINING, HELD_OUT, ADAM, directory=tmp_path / "run", card=card)
    assert not (tmp_path / "run").exists()


def test_a_model_fitted_before_keeps_its_whitening_and_goes_on():
    model = model_of()
    fit(model, TRAINING, HELD_OUT, ADAM)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, pictures(seed=4), config=replace(ADAM, forget_bias=9.0, stages=(Stage(patch=8, steps=0, rate=0.0),)))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_parameters_stay_the_objects_they_were():
    model = model_of()
    parameters = list(model.parameters())
    fit(model, TRAINING, HELD_OUT, ADAM)
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))


@pytest.mark.parametrize("config", [ADAM, growing(SGD)])
def test_the_users_random_numbers_are_left_alone(config: FitConfig):
    model = model_of()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(model, TRAINING, config=config)
    # The new parameters of a deeper model are drawn from a seed of the run.
    assert torch.equal(torch.rand(3), expected)


def test_double_precision_and_colour():
    for images in (correlated(3, (12, 12)), correlated(3, (12, 12, 3))):
        model = model_of(channels=1 if images.ndim == 3 else 3).double()
        fit(model, images[:2], images[2:], replace(ADAM, clip=None))
        assert model.head.a.dtype == torch.float64


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, list])
def test_arrays_and_tensors_are_images(convert: Callable[[np.ndarray], Any]):
    images = correlated(4, (13, 17))
    model, other = model_of(), model_of()
    result = ride.fit(model, convert(images[:3]), convert(images[3:]), ADAM)
    named = [Picture(str(k), image, 256) for k, image in enumerate(images)]
    assert fit(other, named[:3], named[3:], ADAM).nats_per_pixel == result.nats_per_pixel
    assert same(model, other)


def test_continuous_images_are_taken_as_they_are():
    images = torch.from_numpy(correlated(4, (13, 17))).float() / 256 + torch.rand(4, 13, 17) / 256
    assert math.isfinite(ride.fit(model_of(), images, images[:1], ADAM).nats_per_pixel)


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize(("optimizer", "clip"), [("adam", 1.0), ("sgd", None)])
def test_a_rate_too_high_is_said_and_spoils_nothing(layers: int, optimizer: Any, clip: float | None, tmp_path: Path):
    wild = Stage(patch=8, steps=50, rate=1e15)
    config = replace(ADAM, optimizer=optimizer, clip=clip, warmup=0, stages=(ADAM.stages[0], wild))
    tame = model_of(layers)
    fit(tame, TRAINING, HELD_OUT, replace(config, stages=config.stages[:1]))
    model = model_of(layers)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"diverged.*step \d+ of stage 2.*rate below 1e\+15.*directory.*is kept"):
            fit(model, TRAINING, HELD_OUT, config, directory=tmp_path)
        assert same(model, tame)
        assert same(load(tmp_path), tame)
        # Of going back in the first steps there is no rate to tell.
        lines = [line for line in log_of(tmp_path) if line["phase"] != "back"]
        assert all(math.isfinite(line["nats_per_pixel"]) for line in lines)
        model = model_of(layers)


def test_the_optimizer_and_the_fine_tuning_get_what_the_configuration_says(monkeypatch: pytest.MonkeyPatch):
    made, tuned = [], []
    make, tune = curriculum.optimizers.make, curriculum.fit_head

    def making(*given: Any) -> torch.optim.Optimizer:
        made.append((given[0], *given[2:]))
        return make(*given)

    def tuning(head: Any, drawn: Any, held: Any, *more: Any) -> Any:
        tuned.append((drawn[0].shape[0], None if held is None else held[0].shape[0], more[0]))
        if held is not None:
            assert not torch.equal(drawn[0][:50], held[0][:50])
        return tune(head, drawn, held, *more)

    monkeypatch.setattr(curriculum.optimizers, "make", making)
    monkeypatch.setattr(curriculum, "fit_head", tuning)
    stage = Stage(patch=8, steps=2, rate=1e-2, head_iterations=3)
    # Patches of 8 x 8 have 24 predicted pixels.
    for held in (72, 0):
        config = replace(
            ADAM, stages=(stage,), betas=(0.7, 0.8), momentum=0.3, head_pixels=216, head_valid_pixels=held
        )
        fit(model_of(), TRAINING, HELD_OUT, config)
    assert made == [("adam", (0.7, 0.8), 0.3)] * 2
    assert tuned == [(216, 72, 3), (216, None, 3)]


def _spoil_parameters(patch: pytest.MonkeyPatch) -> None:
    """The third step leads to what is no number."""
    steps, step = [0], torch.optim.Adam.step

    def spoilt(optimizer: torch.optim.Adam, *args: Any) -> None:
        step(optimizer, *args)
        steps[0] += 1
        if steps[0] == 3:
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].fill_(math.nan)

    patch.setattr(torch.optim.Adam, "step", spoilt)


def _spoil_gradients(patch: pytest.MonkeyPatch) -> None:
    """The gradients of the third step overflow, the likelihood does not."""
    steps, descent = [0], curriculum.descent

    def spoilt(parameters: Any, *args: Any) -> torch.Tensor:
        objective = descent(parameters, *args)
        steps[0] += 1
        if steps[0] == 3:
            parameters[0].grad.fill_(math.inf)
        return objective

    patch.setattr(curriculum, "descent", spoilt)


@pytest.mark.parametrize("clip", [1.0, None])
@pytest.mark.parametrize("spoil", [_spoil_parameters, _spoil_gradients])
def test_what_overflows_is_gone_back_on_whenever_checkpoints_fall_due(
    spoil: Callable[[pytest.MonkeyPatch], None],
    clip: float | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    kept, save = [], Run.save

    def watched(run: Run, tree: dict[str, Any]) -> None:
        kept.append(all(bool(value.isfinite().all()) for value in tree["model"].values()))
        save(run, tree)

    monkeypatch.setattr(Run, "save", watched)
    models, rates = [], []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(curriculum, "CHECKPOINT_SECONDS", seconds)
        with monkeypatch.context() as patch:
            spoil(patch)
            models.append(model_of())
            rates.append(
                fit(models[-1], TRAINING, HELD_OUT, replace(ADAM, clip=clip), directory=tmp_path / f"{seconds}")
            )
        assert [line["phase"] for line in log_of(tmp_path / f"{seconds}")].count("back") == 1
    assert same(*models)
    assert all(kept)
    assert math.isfinite(rates[0].nats_per_pixel)


def test_the_last_step_of_a_stage_is_gone_back_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = replace(ADAM, stages=(replace(ADAM.stages[0], steps=3), ADAM.stages[1]))
    _spoil_parameters(monkeypatch)
    fit(model_of(), TRAINING, HELD_OUT, config, directory=tmp_path)
    back = [(line["stage"], line["from"], line["step"]) for line in log_of(tmp_path) if line["phase"] == "back"]
    assert back == [(0, 3, 0)]


def test_held_out_images_without_a_finite_rate_are_no_best_model(scores: Any, tmp_path: Path):
    scores(1.0, math.nan)
    model = model_of()
    with pytest.raises(ConfigError, match=r"diverged.*the end of stage 2"):
        fit(model, TRAINING, HELD_OUT, ADAM, directory=tmp_path)
    assert same(load(tmp_path), model)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:-3] + b"\x7f" + data[-2:], lambda data: b""]
)
def test_a_damaged_checkpoint_is_refused_by_name(damage: Callable[[bytes], bytes], tmp_path: Path):
    fit(model_of(), TRAINING, HELD_OUT, ADAM, directory=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    model = model_of()
    with pytest.raises(ModelError, match=r"checkpoint\.safetensors.*remove it to start the run anew"):
        fit(model, TRAINING, HELD_OUT, ADAM, directory=tmp_path)
    assert same(model, model_of())
    path.unlink()
    fit(model, TRAINING, HELD_OUT, ADAM, directory=tmp_path)
    left(tmp_path, model)


def test_the_checkpoint_of_another_run_is_refused_by_name(tmp_path: Path):
    for name, hidden in (("a", 3), ("b", 4)):
        fit(model_of(hidden=hidden), TRAINING, HELD_OUT, ADAM, directory=tmp_path / name)
    (tmp_path / "a" / "checkpoint.safetensors").replace(tmp_path / "b" / "checkpoint.safetensors")
    with pytest.raises(ModelError, match=r"b/checkpoint\.safetensors does not fit"):
        fit(model_of(hidden=4), TRAINING, HELD_OUT, ADAM, directory=tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"config": replace(ADAM, seed=1)}, r"fit\.seed"),
        ({"config": replace(ADAM, stages=ADAM.stages[:1])}, r"fit\.stages"),
        ({"model": model_of(hidden=4)}, r"model\.hidden"),
        ({"images": TRAINING[:2]}, r"data\.train"),
        ({"valid_images": TRAINING[:2]}, r"data\.valid"),
        ({"valid_images": ()}, r"data\.valid"),
    ],
)
def test_another_run_is_not_resumed(change: dict[str, Any], name: str, tmp_path: Path):
    call: dict[str, Any] = {"images": TRAINING, "valid_images": HELD_OUT, "config": ADAM, "directory": tmp_path}
    model = model_of()
    fit(model, **call)
    with pytest.raises(ConfigError, match=name):
        fit(**{"model": model_of(), **call, **change})
    left(tmp_path, model)


def test_a_directory_that_cannot_be_one(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OutputError, match="file"):
        fit(model_of(), TRAINING, HELD_OUT, ADAM, directory=file)


def test_a_disk_that_is_full_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = model_of()
    fit(whole, TRAINING, HELD_OUT, ADAM)

    def full(*args: Any) -> None:
        raise OutputError("cannot write: disk full")

    with monkeypatch.context() as patch:
        patch.setattr(curriculum, "save", full)
        with pytest.raises(OutputError, match="disk full"):
            fit(model_of(), TRAINING, HELD_OUT, ADAM, directory=tmp_path)
    model = model_of()
    fit(model, TRAINING, HELD_OUT, ADAM, directory=tmp_path)
    assert same(model, whole)


def test_a_run_starts_from_another_model(tmp_path: Path):
    still = replace(ADAM, stages=(Stage(patch=8, steps=0, rate=0.0),))
    before = model_of(2)
    fit(before, TRAINING, config=still)
    with torch.no_grad():
        before.stack[0].weight.add_(0.25)
    # The same again is the same run.
    for _ in range(2):
        model = model_of(2, largest_memory=0.5)
        fit(model, TRAINING, config=still, start=before, directory=tmp_path)
        assert model.config.largest_memory == model.stack[1].form.largest == 0.5
        assert all(torch.equal(value, before.state_dict()[name]) for name, value in model.state_dict().items())
    with pytest.raises(ConfigError, match="start"):
        fit(model_of(2, largest_memory=0.5), TRAINING, config=still, start=model_of(2), directory=tmp_path)


def test_another_kind_of_model_is_no_start():
    with pytest.raises(ConfigError, match="hidden"):
        fit(model_of(1), TRAINING, config=ADAM, start=model_of(1, hidden=4))
