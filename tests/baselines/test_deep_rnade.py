"""Deep RNADE: a density under every order, an objective whose mean is that of all orders, the twin pixel by pixel."""

from itertools import permutations
from pathlib import Path

import pytest
import torch
from tests.baselines.shared import integral, normal_log_density, patches_of, roughen

from ride.baselines.deep_rnade import LEAST_SIZE, SHARED, DeepRNADE, DeepRNADEConfig
from ride.data import seeded
from ride.errors import ConfigError, DataError


def model_of(dimension: int, linear: bool = True, layers: int = 2, amount: float = 0.3) -> DeepRNADE:
    model = DeepRNADE(
        dimension, DeepRNADEConfig(hidden=6, layers=layers, gates=4, components=3, linear=linear)
    ).double()
    model.prediction.fit(patches_of(500, dimension, dtype=torch.float64))
    roughen(model, amount=amount)
    return model


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("order", [[0], [0, 1], [1, 0]])
def test_it_integrates_to_one_in_every_order(order: list[int], linear: bool):
    model = model_of(len(order), linear, amount=0.1)
    whole = integral(lambda x: model.log_prob(x, torch.tensor(order)), len(order), 801)
    assert whole == pytest.approx(1, abs=1e-3)


def test_the_ensemble_integrates_to_one():
    model = model_of(2, amount=0.1)
    assert integral(lambda x: model.ensemble_log_prob(x, 3), 2) == pytest.approx(1, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("linear", [True, False])
def test_it_is_the_product_of_its_conditionals(layers: int, linear: bool):
    model, x = model_of(4, linear, layers), patches_of(5, 4, seed=1, dtype=torch.float64)
    order = [2, 0, 3, 1]
    covariance, centred = model.prediction.covariance, x - model.prediction.mean
    expected = torch.zeros(5, dtype=torch.float64)
    for p in range(5):
        for d, pixel in enumerate(order):
            seen = order[:d]
            # The patch as a linear prediction completes it, and which pixels are seen.
            weights = torch.linalg.solve(covariance[seen][:, seen], covariance[seen])
            white = torch.linalg.solve_triangular(
                torch.linalg.cholesky(covariance[seen][:, seen]), centred[p, seen].unsqueeze(1), upper=False
            )
            size = ((white.square().sum() + LEAST_SIZE) / (len(seen) + 1)).sqrt()
            direction = model.prediction.whiten @ (centred[p, seen] @ weights) / size
            hidden = torch.cat([direction, torch.zeros(4).double(), size.log().unsqueeze(0)])
            hidden[[4 + k for k in seen]] = 1
            hidden = model.layers[0](hidden).clamp(min=0)
            for layer in model.layers[1:]:
                hidden = hidden + layer(hidden).clamp(min=0)
            logits, means, log_scales = model.weight[:, pixel] @ hidden + model.bias[:, pixel]
            means = means + model.products[pixel] @ (model.gate(hidden) * model.filter(direction))
            scale = (covariance[pixel, pixel] - weights[:, pixel] @ covariance[seen, pixel]).sqrt()
            left_over = (centred[p, pixel] - centred[p, seen] @ weights[:, pixel]) / scale
            joint = logits.log_softmax(0) + normal_log_density(left_over, means, log_scales.exp())
            expected[p] += joint.logsumexp(0) - scale.log()
    torch.testing.assert_close(model.log_prob(x, torch.tensor(order)), expected)


@pytest.mark.parametrize("linear", [True, False])
def test_the_mean_of_the_objective_is_that_of_all_orders(linear: bool):
    model, x = model_of(3, linear), patches_of(4, 3, seed=1, dtype=torch.float64)
    orders = [torch.tensor(order) for order in permutations(range(3))]
    exact = torch.stack([model.log_prob(x, order).mean() for order in orders]).mean()
    estimates = [
        model.objective(x, order.expand(4, 3), torch.full((4,), cut)).detach() for order in orders for cut in range(3)
    ]
    torch.testing.assert_close(torch.stack(estimates).mean(), exact)


def test_rows_of_the_objective_do_not_mix():
    model, x = model_of(3), patches_of(40, 3, seed=1, dtype=torch.float64)
    orders, cuts = model.noise(40, seeded(5))
    each = [model.objective(x[k : k + 1], orders[k : k + 1], cuts[k : k + 1]) for k in range(40)]
    torch.testing.assert_close(model.objective(x, orders, cuts), torch.stack(each).mean())


def test_orders_and_cuts_are_uniform():
    model = model_of(3)
    drawn = [model.noise(50, seeded(k)) for k in range(400)]
    for order, cut in drawn:
        assert (order.sort(1).values == torch.arange(3)).all()
        assert (torch.bincount(cut, minlength=3) - 50 / 3).abs().max() < 2
    orders = torch.cat([order[::SHARED] for order, _ in drawn])
    names, counts = torch.unique(orders, dim=0, return_counts=True)
    assert len(names) == 6
    assert (counts / len(orders) - 1 / 6).abs().max() < 0.04
    # A cut does not depend on the place in the batch.
    places = torch.stack([cut for _, cut in drawn]).double().mean(0)
    assert (places - 1).abs().max() < 0.2


def test_the_ensemble_is_the_mean_of_its_densities():
    model, x = model_of(4), patches_of(6, 4, seed=1, dtype=torch.float64)
    generator = seeded(2, "orders")
    orders = [torch.randperm(4, generator=generator) for _ in range(3)]
    expected = torch.stack([model.log_prob(x, order).exp() for order in orders]).mean(0).log()
    torch.testing.assert_close(model.ensemble_log_prob(x, 3, seed=2), expected)


def test_a_fit_beats_the_gaussian():
    patches, held_out = patches_of(4000, 3), patches_of(1000, 3, seed=1)
    for half in (False, True):
        settings = DeepRNADEConfig(32, 2, 8, 4, bfloat16=half, steps=300, batch=100, rate=1e-2)
        model = DeepRNADE(3, settings)
        best = model.fit(patches, held_out)
        gaussian = torch.distributions.MultivariateNormal(patches.mean(0), patches.mT.cov())
        assert best > float(gaussian.log_prob(held_out).mean()) + 0.5
        assert float(model.log_prob(held_out).mean()) == pytest.approx(best, abs=0.2)


def test_an_interrupted_fit_goes_on_bit_for_bit(tmp_path: Path):
    patches, held_out = patches_of(300, 3), patches_of(50, 3, seed=1)

    def stop(done: int, total: int, message: str = "") -> None:
        if done == 14:
            raise KeyboardInterrupt

    def model() -> DeepRNADE:
        return DeepRNADE(3, DeepRNADEConfig(5, 2, 3, 2, steps=20, batch=30))

    whole, interrupted, resumed = model(), model(), model()
    rate = whole.fit(patches, held_out, seed=3)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(patches, held_out, seed=3, directory=tmp_path, progress=stop)
    assert resumed.fit(patches, held_out, seed=3, directory=tmp_path) == rate
    assert all(torch.equal(whole.state_dict()[name], value) for name, value in resumed.state_dict().items())


def test_two_threads_score_the_same(two_threads: None):
    model, x = model_of(3), patches_of(250, 3, seed=1, dtype=torch.float64)
    torch.testing.assert_close(model.log_prob(x), torch.cat([model.log_prob(x[:90]), model.log_prob(x[90:])]))


def test_bad_input_is_named():
    model = DeepRNADE(3, DeepRNADEConfig(4, 1, 2, 2, steps=1))
    with pytest.raises(ConfigError, match="layers must be at least 1"):
        DeepRNADEConfig(layers=0)
    with pytest.raises(ConfigError, match="at least 1 pixel"):
        DeepRNADE(0)
    with pytest.raises(ConfigError, match="patches of 3 pixels"):
        model.log_prob(torch.zeros(5, 4))
    with pytest.raises(ConfigError, match="once"):
        model.log_prob(torch.zeros(5, 3), torch.tensor([0, 1, 1]))
    with pytest.raises(ConfigError, match="at least 1 order"):
        model.ensemble_log_prob(torch.zeros(5, 3), 0)
    with pytest.raises(DataError, match="at least"):
        model.fit(torch.zeros(0, 3), torch.zeros(5, 3))
