"""RNADE: a density, the equations written out pixel by pixel, and a fit that goes on where it was."""

import math
from pathlib import Path

import pytest
import torch
from tests.baselines.shared import integral, normal_log_density, patches_of, roughen

from ride.baselines.rnade import RNADE, RNADEConfig
from ride.errors import ConfigError, DataError


def model_of(dimension: int, linear: bool = True) -> RNADE:
    model = RNADE(dimension, RNADEConfig(hidden=6, components=3, linear=linear)).double()
    model.prediction.fit(patches_of(500, dimension, dtype=torch.float64))
    roughen(model)
    return model


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("dimension", [1, 2])
def test_it_integrates_to_one(dimension: int, linear: bool):
    assert integral(model_of(dimension, linear).log_prob, dimension) == pytest.approx(1, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("linear", [True, False])
def test_it_is_the_product_of_its_conditionals(linear: bool):
    model, x = model_of(4, linear), patches_of(7, 4, seed=1, dtype=torch.float64)
    covariance, centred = model.prediction.covariance, x - model.prediction.mean
    expected = torch.zeros(7, dtype=torch.float64)
    for p in range(7):
        activation = model.c.clone()
        for d in range(4):
            weights = torch.linalg.solve(covariance[:d, :d], covariance[:d, d])
            scale = (covariance[d, d] - weights @ covariance[:d, d]).sqrt()
            left_over = (centred[p, d] - weights @ centred[p, :d]) / scale
            hidden = (model.rho[d] * activation).clamp(min=0)
            logits, means, log_scales = (model.v[d] @ hidden).reshape(3, -1) + model.bias[d]
            densities = normal_log_density(left_over, means, log_scales.exp()).exp()
            expected[p] += (logits.softmax(0) @ densities).log() - scale.log()
            if d < 3:
                activation = activation + left_over * model.w[d]
    torch.testing.assert_close(model.log_prob(x), expected)


def test_a_fit_beats_the_gaussian():
    patches, held_out = patches_of(4000, 3), patches_of(1000, 3, seed=1)
    model = RNADE(3, RNADEConfig(hidden=32, components=4, steps=300, batch=100, rate=1e-2))
    best = model.fit(patches, held_out)
    gaussian = torch.distributions.MultivariateNormal(patches.mean(0), patches.mT.cov())
    assert best > float(gaussian.log_prob(held_out).mean()) + 0.5
    assert float(model.log_prob(held_out).mean()) == pytest.approx(best, abs=1e-3)


def test_an_interrupted_fit_goes_on_bit_for_bit(tmp_path: Path):
    patches, held_out = patches_of(300, 3), patches_of(50, 3, seed=1)

    def stop(done: int, total: int, message: str = "") -> None:
        if done == 14:
            raise KeyboardInterrupt

    def model() -> RNADE:
        return RNADE(3, RNADEConfig(hidden=5, components=2, steps=20, batch=30))

    whole, interrupted, resumed = model(), model(), model()
    rate = whole.fit(patches, held_out, seed=3)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(patches, held_out, seed=3, directory=tmp_path, progress=stop)
    assert resumed.fit(patches, held_out, seed=3, directory=tmp_path) == rate
    assert all(torch.equal(whole.state_dict()[name], value) for name, value in resumed.state_dict().items())
    with pytest.raises(ConfigError, match="holds a run"):
        RNADE(3, RNADEConfig(hidden=6, components=2, steps=20, batch=30)).fit(patches, held_out, directory=tmp_path)


def test_bad_input_is_named():
    model = RNADE(3, RNADEConfig(hidden=4, components=2, steps=1))
    with pytest.raises(ConfigError, match="hidden must be at least 1"):
        RNADEConfig(hidden=0)
    with pytest.raises(ConfigError, match="at least 1 pixel"):
        RNADE(0)
    with pytest.raises(ConfigError, match="patches of 3 pixels"):
        model.log_prob(torch.zeros(5, 4))
    with pytest.raises(ConfigError, match="convert the patches"):
        model.log_prob(torch.zeros(5, 3, dtype=torch.float64))
    with pytest.raises(DataError, match="at least"):
        model.fit(torch.zeros(0, 3), torch.zeros(5, 3))
    with pytest.raises(DataError, match="judged by"):
        model.fit(patches_of(50, 3), torch.zeros(0, 3))
    assert math.isfinite(float(model.log_prob(patches_of(5, 3)).sum()))
    assert model.log_prob(torch.zeros(0, 3)).shape == (0,)
