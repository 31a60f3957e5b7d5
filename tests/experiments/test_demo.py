"""The demonstration, with models so small that it takes seconds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ride.cli.main import main
from ride.experiments import demo
from ride.models.files import load
from ride.progress import silent
from ride.training import Stage

PICTURES = {"deadleaves": 16, "deadleaves-mcgsm": 16, "deadleaves-ride": 16, "photograph": 48, "sample": 24}
"""And their sides."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TRAINING", 2)
    monkeypatch.setattr(demo, "TEST", 2)
    monkeypatch.setattr(demo, "SIDE", 16)
    monkeypatch.setattr(demo, "TEXTURE", 24)
    for name, few in (("MCGSM", 2), ("SPATIAL", 3)):
        monkeypatch.setattr(demo, name, replace(getattr(demo, name), components=few, features=2, hidden=4))
    stage = Stage(patch=16, steps=3, rate=1e-2)
    for name in ("MCGSM_FIT", "SPATIAL_FIT"):
        short = {"stages": (stage,), "head_pixels": 500, "whitening_pixels": 5000}
        monkeypatch.setattr(demo, name, replace(getattr(demo, name), **short))
    photograph = demo._photograph()
    monkeypatch.setattr(demo, "_photograph", lambda: replace(photograph, pixels=photograph.pixels[:48, :48]))


@pytest.mark.usefixtures("small")
def test_it_trains_scores_draws_and_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--quiet"]) == 0
    told = capsys.readouterr().out
    result = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert sorted(Path(path).name for path in result["written"]) == sorted(path.name for path in out.iterdir())
    models = [rate["model"] for rate in result["dead_leaves"]]
    assert models == [models[0], "MCGSM", "RIDE"]
    assert models[0].startswith("histogram")
    rates = [rate["bits_per_pixel"] for rate in result["dead_leaves"]]
    assert result["ride_over_mcgsm_bits"] == pytest.approx(rates[2] - rates[1])
    assert {rate["images"] for rate in result["dead_leaves"]} == {2}
    assert 2 < result["photograph"]["bits_per_pixel"] < 8
    for name, side in PICTURES.items():
        with Image.open(out / f"{name}.png") as image:
            assert image.size == (side, side)
            assert np.asarray(image).std() > 1
    for name, layers in (("mcgsm", 0), ("ride", 1)):
        assert load(out / f"deadleaves-{name}.safetensors").config.layers == layers
    for said in ("histogram", "RIDE over the MCGSM, image by image", "results.json"):
        assert said in told


@pytest.mark.usefixtures("small")
def test_a_seed_makes_its_figures(tmp_path: Path):
    rates = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        run = demo.demonstrate(tmp_path / name, seed=seed, device=torch.device("cpu"), bars=silent)
        rates.append([rate.bits_per_pixel for rate in run.dead_leaves])
    assert rates[0] == rates[1]
    assert rates[0] != rates[2]
