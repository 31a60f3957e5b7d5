"""Rows about patches: every density of the tables is fitted, kept, scored and converted in the same way."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tests.experiments.conftest import setting

from ride.baselines import trained
from ride.baselines.deep_gmm import DeepGMMConfig
from ride.baselines.deep_rnade import DeepRNADEConfig
from ride.baselines.diffusion import DiffusionConfig
from ride.baselines.gaussian import GaussianConfig
from ride.baselines.grbm import GRBMConfig
from ride.baselines.isa import ISAConfig
from ride.baselines.mixture_em import EMConfig
from ride.baselines.mixtures import GMMConfig, GSMConfig, MoGSMConfig, STMConfig
from ride.baselines.rnade import RNADEConfig
from ride.data import draw_patches, hold_out, open_pictures
from ride.errors import ConfigError
from ride.experiments import densities, patch_rows
from ride.experiments.densities import Density, OwnMCGSM, OwnRIDE
from ride.experiments.patch_rows import DCRow, Patches, PatchRow
from ride.experiments.tables import Cell
from ride.models.patches import PatchMCGSMConfig, PatchRIDEConfig
from ride.training.patch_mcgsm import PatchMCGSMFitConfig
from ride.training.patch_ride import PatchRIDEFitConfig
from ride.training.patches import PatchFitConfig

SMALL = Patches(side=3, training=300, held_out=60, test=100, without_dc=True)
WHOLE = replace(SMALL, without_dc=False)
STEPS = PatchFitConfig(steps=3, batch=20)
EM = EMConfig(steps=3, batch=None, looks=1)
DENSITIES: dict[str, Density] = {
    "mcgsm": OwnMCGSM(PatchMCGSMConfig(2, 2, 2), PatchMCGSMFitConfig(STEPS)),
    "ride": OwnRIDE(
        PatchRIDEConfig(side=3, layers=1, hidden=2, components=2, scales=2, features=2),
        PatchRIDEFitConfig(STEPS, head_iterations=2, head_patches=50),
    ),
    "gaussian": GaussianConfig(),
    "gsm": GSMConfig(em=EM),
    "mogsm": MoGSMConfig(components=2, em=EM),
    "gmm": GMMConfig(components=2, em=EM),
    "stm": STMConfig(components=2, em=EM),
    "isa": ISAConfig(steps=3, batch=20, held_out=20),
    "rnade": RNADEConfig(hidden=4, steps=3, batch=20, held_out=20),
    "deep-rnade": DeepRNADEConfig(hidden=4, layers=2, steps=3, batch=20, held_out=20),
    "deep-gmm": DeepGMMConfig(transformations=(2, 2), steps=3, batch=20),
    "grbm": GRBMConfig(hidden=3, steps=3, batch=20, chains=20, temperatures=5),
    "diffusion": DiffusionConfig(levels=4, hidden=4, gates=4, steps=3, batch=20, draws=2),
}


def row(name: str, **changes: Any) -> PatchRow:
    """The row of a small density."""
    return PatchRow(name, f"patches-{name}", density=DENSITIES[name], patches=changes.pop("patches", SMALL), **changes)


@pytest.mark.parametrize("name", DENSITIES)
def test_every_density_is_fitted_and_scored(data: Path, tmp_path: Path, name: str):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    result = row(name).run(here)
    assert math.isfinite(result.value)
    assert result.unit == "nat"
    assert result.count == SMALL.test
    assert len(result.images) == 2
    # Another fit of the same seed, in another place, comes to the same.
    other = setting(data, tmp_path / "other")
    other.out.mkdir()
    assert row(name).run(other).value == pytest.approx(result.value, abs=1e-4)


@pytest.mark.parametrize("name", ["mcgsm", "ride", "gmm", "rnade"])
def test_the_seed_is_that_of_the_fit_too(data: Path, tmp_path: Path, name: str):
    patches = torch.randn(200, SMALL.dimension, generator=torch.Generator().manual_seed(0))
    densities_of = []
    for k, seed in enumerate((0, 1, 0)):
        parts, device = (patches[:150], patches[150:]), torch.device("cpu")
        model: Any = densities.fitted(
            DENSITIES[name],
            SMALL.dimension,
            parts,
            tmp_path / f"{k}",
            seed=seed,
            length=1.0,
            device=device,
            progress=None,
        )
        densities_of.append(model.log_prob(patches))
    assert torch.equal(densities_of[0], densities_of[2])
    assert not torch.allclose(densities_of[0], densities_of[1], atol=1e-4)


def test_all_kinds_of_densities_are_tried_here():
    kinds = {type(density) for density in DENSITIES.values()}
    assert kinds == set(densities.Density.__args__)


def test_the_value_is_the_mean_over_test_patches(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    result = row("gaussian").run(here)
    training, _ = hold_out(list(open_pictures(data / "train")), 1, 0)
    x = draw_patches(training, SMALL.training, 3, 0, "training").without_dc().values.double()
    y = draw_patches(open_pictures(data / "test"), SMALL.test, 3, 0, "test").without_dc().values.double()
    normal = torch.distributions.MultivariateNormal(x.mean(0), torch.cov(x.T, correction=0))
    assert result.value == pytest.approx(float(normal.log_prob(y).mean()), rel=1e-4)


def test_whole_patches_are_scored_in_bits_per_pixel(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    result = row("gaussian", patches=WHOLE).run(here)
    assert result.unit == "bit/px"
    # Noise that is uniform over the full range has about 0 bit/px; a Gaussian fitted to it has less.
    assert -1.0 < result.value < 0.2


def test_the_dc_component_is_not_fitted_to_images_held_out(data: Path, tmp_path: Path):
    dc = DCRow("DC", "dc", patches=Patches(8, 300, 60, 100, True))
    _, (held_out,) = hold_out(open_pictures(data / "train"), 1, 0)
    other = next(path for path in sorted((data / "train").iterdir()) if path.name != Path(held_out.name).name)
    values = [dc.run(setting(data, tmp_path / "out")).value]
    for changed in (Path(held_out.name).name, other.name):
        Image.new("L", (18, 16), 100).save(data / "train" / changed)
        values.append(dc.run(setting(data, tmp_path / "out")).value)
    assert values[0] == values[1] != values[2]


def test_the_dc_component_gives_the_rate_of_whole_patches(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    dc, rest = DCRow("DC", "dc", patches=Patches(8, 300, 60, 100, True)), row("gaussian")
    found = {one.key: one.run(here) for one in (dc, rest)}
    cell = Cell(3.4, rest, dc=dc)
    expected = (found["patches-gaussian"].value + found["dc"].value - math.log(64)) / (64 * math.log(2))
    assert cell.measured(found) == (pytest.approx(expected), None)
    assert cell.measured({rest.key: found[rest.key]}) is None
    assert any("histogram" in name for name in found["dc"].notes)


@pytest.mark.parametrize("name", DENSITIES)
def test_a_directory_of_other_data_is_refused(tmp_path: Path, name: str):
    patches = torch.randn(200, SMALL.dimension, generator=torch.Generator().manual_seed(0))

    def fit(x: torch.Tensor) -> None:
        parts, device = (x[:150], x[150:]), torch.device("cpu")
        densities.fitted(
            DENSITIES[name], SMALL.dimension, parts, tmp_path, seed=0, length=1.0, device=device, progress=None
        )

    fit(patches)
    if name == "gaussian":
        # In closed form, and nothing kept.
        assert not list(tmp_path.iterdir())
        return
    with pytest.raises(ConfigError, match="data"):
        fit(patches + 1)


def test_an_ensemble_scores_the_density_that_is_there(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    single = row("mcgsm")
    single.run(here).write(single.file(here))
    result = single.ensembled("EoMCGSM", "eo").run(here)
    assert result.run == "patches-mcgsm"
    assert "flips" in result.scored
    assert not (here.out / "eo").exists()


def test_orderings_are_those_of_a_deep_rnade(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    result = row("deep-rnade", orders=2).run(here)
    assert "2 random orders" in result.scored
    # A single one is the first of the mixture's, on the same patches.
    one = replace(row("deep-rnade", orders=1), fitted=row("deep-rnade", orders=2)).run(here)
    assert "one random order" in one.scored
    assert [image.weight for image in one.images] == [image.weight for image in result.images]
    assert one.value < result.value + math.log(2)
    with pytest.raises(ConfigError, match="deep RNADE"):
        row("gaussian", orders=2).run(here)


@pytest.mark.parametrize("name", ["isa", "rnade", "deep-rnade", "deep-gmm", "grbm", "diffusion"])
def test_how_a_density_is_trained_decides_its_figure(
    data: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    here = setting(data, tmp_path)
    before = row(name).identity(here)
    monkeypatch.setattr(trained, "PatchFitConfig", partial(PatchFitConfig, clip=None))
    assert row(name).identity(here) != before


def test_a_grbm_says_how_sure_its_partition_function_is(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    result = row("grbm").run(here)
    assert any("ln Z" in name for name in result.notes)
    # What its steps return is no log-likelihood, and so no curve.
    assert (result.curve.training, len(result.curve.held_out)) == ((), 3)


def test_a_trial_is_scored_on_fewer_patches(data: Path, tmp_path: Path):
    big = replace(SMALL, test=100_000)
    assert row("gaussian", patches=big)._count(setting(data, tmp_path, length=0.01)) == patch_rows.LEAST_TEST
    assert row("gaussian", patches=big)._count(setting(data, tmp_path, length=0.5)) == 50_000
    assert row("gaussian", patches=big, test=20_000)._count(setting(data, tmp_path)) == 20_000
