"""EM: it climbs, finds what the data were made from, and goes on where it was interrupted."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ride.baselines.elliptical import EllipticalMixture
from ride.baselines.mixture_em import EMConfig, StepwiseEM
from ride.baselines.mixtures import GMM, GSM, STM, FittedMixture, GMMConfig, GSMConfig, MoGSM, MoGSMConfig, STMConfig
from ride.errors import ConfigError, DataError

FULL = EMConfig(steps=40, batch=None, looks=1)
STEPWISE = EMConfig(steps=40, batch=200, size=0.3, size_end=0.02, looks=4)


def clusters(count: int = 1500, dimension: int = 2, seed: int = 0) -> torch.Tensor:
    """Three heavy-tailed clusters of different shapes, float64."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    factors, means = normal(3, dimension, dimension), 4 * normal(3, dimension)
    heavy = normal(count, dimension) / normal(count, 4).square().mean(1, keepdim=True).sqrt()
    which = torch.randint(3, (count,), generator=generator)
    return torch.einsum("pij,pj->pi", factors[which], heavy) + means[which]


def mixture(kind: str, dimension: int, components: int, means: bool, em: EMConfig) -> FittedMixture:
    if kind == "gmm":
        return GMM(dimension, GMMConfig(components=components, means=means, em=em)).double()
    if kind == "stm":
        return STM(dimension, STMConfig(components=components, means=means, em=em)).double()
    return MoGSM(dimension, MoGSMConfig(components=components, means=means, em=em, scales=3)).double()


@given(
    kind=st.sampled_from(["gmm", "stm", "mogsm"]),
    dimension=st.integers(1, 3),
    components=st.integers(1, 4),
    means=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_em_on_all_patches_never_decreases_the_likelihood(
    kind: str, dimension: int, components: int, means: bool, seed: int
):
    x = clusters(200, dimension, seed)
    model = mixture(kind, dimension, components, means, FULL)
    model.whitening.fit([(x[:, :0], x)])
    model.initialize(x, seed)
    em = StepwiseEM(model, ridge=0.0)
    values = [em.step(model.whiten(x), 1.0) for _ in range(15)]
    assert all(after >= before - 1e-9 for before, after in pairwise(values))


def test_one_step_of_a_gaussian_mixture_is_the_textbooks():
    x = clusters(100)
    model = mixture("gmm", 2, 2, True, replace(FULL, steps=1))
    model.fit(x, x)
    started = GMM(2, GMMConfig(components=2, means=True)).double()
    started.whitening.fit([(x[:, :0], x)])
    started.initialize(x, 0)
    y = started.whiten(x)
    joint = started.joint(started.distances(y))
    # Means and covariances are updated after the weights, with posteriors for these.
    log_pi = joint.softmax(0).mean(1).log()
    posterior = (joint - started.log_pi[:, None] + log_pi[:, None]).softmax(0)
    for k, p in enumerate(posterior):
        mean = (p[:, None] * y).sum(0) / p.sum()
        covariance = ((p[:, None] * (y - mean)).mT @ (y - mean)) / p.sum()
        torch.testing.assert_close(model.means[k], mean, atol=1e-6, rtol=0)
        torch.testing.assert_close(model.factors[k].mT @ model.factors[k], covariance.inverse(), rtol=1e-5, atol=0)
    torch.testing.assert_close(model.log_pi, log_pi, atol=1e-6, rtol=0)


def test_a_mixture_of_gaussians_is_found_again():
    generator = torch.Generator().manual_seed(1)
    means = torch.tensor([[3.0, 0.0], [-3.0, 1.0]], dtype=torch.float64)
    roots = torch.tensor([[[1.0, 0.0], [0.8, 0.5]], [[0.5, 0.0], [0.0, 2.0]]], dtype=torch.float64)
    which = (torch.rand(20_000, generator=generator) < 0.3).long()
    noise = torch.randn(20_000, 2, generator=generator, dtype=torch.float64)
    x = torch.einsum("pij,pj->pi", roots[which], noise) + means[which]
    model = mixture("gmm", 2, 2, True, replace(STEPWISE, steps=80, batch=2000))
    model.fit(x, x[:5000])
    order = model.means[:, 0].argsort(descending=True)
    unwhiten = torch.linalg.inv(model.whitening.whiten_out)
    found = model.means[order] @ unwhiten.mT + model.whitening.mean_out
    inverse = unwhiten @ torch.linalg.inv(model.factors[order])
    torch.testing.assert_close(found, means, atol=0.06, rtol=0)
    torch.testing.assert_close(inverse @ inverse.mT, roots @ roots.mT, atol=0.15, rtol=0)
    torch.testing.assert_close(model.log_pi[order].exp(), torch.tensor([0.7, 0.3]).double(), atol=0.02, rtol=0)


def test_degrees_of_freedom_are_found_again():
    generator = torch.Generator().manual_seed(2)
    u = torch.distributions.Gamma(2.0, 2.0)
    torch.manual_seed(3)
    noise = torch.randn(20_000, 3, generator=generator, dtype=torch.float64)
    x = noise / u.sample((20_000, 1)).double().sqrt()  # nu = 4
    model = mixture("stm", 3, 1, False, replace(FULL, steps=60))
    model.fit(x, x)
    assert float(model.radial.freedom) == pytest.approx(4, abs=0.25)


def test_scales_are_found_again():
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(20_000, 4, generator=generator, dtype=torch.float64)
    wide = torch.rand(20_000, 1, generator=generator) < 0.25
    x = noise * torch.where(wide, 6.0, 1.0)
    model = GSM(4, GSMConfig(scales=2, em=FULL)).double()
    model.fit(x, x)
    alpha, log_pi = model.radial.alpha[:, 0], model.radial.log_pi[:, 0]
    assert float((alpha[1] - alpha[0]).exp()) == pytest.approx(36, rel=0.1)
    assert float(log_pi[0].exp()) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("kind", ["gmm", "stm", "mogsm"])
def test_stepwise_em_comes_as_far_as_em(kind: str):
    x, held_out = clusters(4000), clusters(1000, seed=0)
    full = mixture(kind, 2, 3, True, FULL).fit(x, held_out)
    stepwise = mixture(kind, 2, 3, True, replace(STEPWISE, steps=80, batch=500)).fit(x, held_out)
    assert stepwise == pytest.approx(full, abs=0.03)


def test_a_mixture_in_one_dimension():
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(6000, 1, generator=generator)
    x = torch.where(x < 0.3, x / 3, 0.5 + x / 2)  # two boxes of 0.1 and 0.35 with 0.3 and 0.7 of the mass
    model = MoGSM(1, MoGSMConfig(components=16, scales=4, means=True, em=replace(FULL, steps=100)))
    rate = model.fit(x[:4000], x[4000:])
    entropy = -(0.3 * torch.tensor(3.0).log() + 0.7 * torch.tensor(2.0).log())
    assert -float(entropy) - 0.08 < rate <= -float(entropy) + 0.02


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("kind", ["gmm", "stm", "mogsm"])
def test_an_interrupted_fit_goes_on_bit_for_bit(kind: str, tmp_path: Path):
    x, held_out = clusters(1000).float(), clusters(300, seed=0).float()

    def new() -> FittedMixture:
        return mixture(kind, 2, 3, True, STEPWISE).float()

    def stop(done: int, total: int, message: str = "") -> None:
        if done == 25:
            raise Interrupted

    whole, parts = new(), new()
    rate = whole.fit(x, held_out, directory=tmp_path / "a")
    with pytest.raises(Interrupted):
        parts.fit(x, held_out, directory=tmp_path / "b", progress=stop)
    parts = new()
    assert parts.fit(x, held_out, directory=tmp_path / "b") == rate
    for name, value in whole.state_dict().items():
        assert torch.equal(parts.state_dict()[name], value), name
    assert new().fit(x, held_out) == rate
    with pytest.raises(ConfigError, match=r"holds a run with seed = 0, not 1"):
        new().fit(x, held_out, directory=tmp_path / "b", seed=1)


def test_what_was_best_on_the_held_out_patches_is_kept():
    # Twenty patches and three components: EM overfits.
    x, held_out = clusters(20), clusters(500, seed=0)
    model = mixture("gmm", 2, 4, True, replace(FULL, looks=40))
    rate = model.fit(x, held_out)
    assert float(model.log_prob(held_out).mean()) == rate
    assert rate > mixture("gmm", 2, 4, True, FULL).fit(x, held_out)


def test_an_empty_component_stays_usable():
    x = clusters(300)
    model = mixture("gmm", 2, 2, True, FULL)
    model.whitening.fit([(x[:, :0], x)])
    model.means[1] = 1e3
    em = StepwiseEM(model, ridge=1e-9)
    em.step(model.whiten(x), 1.0)
    # The Gaussian of all patches, from where it may grow again.
    torch.testing.assert_close(model.factors[1], torch.eye(2, dtype=torch.float64))
    torch.testing.assert_close(model.means[1], torch.zeros(2, dtype=torch.float64))
    em.step(model.whiten(x), 1.0)
    assert model.log_prob(x).isfinite().all()


@pytest.mark.parametrize("kind", ["gmm", "stm", "mogsm"])
def test_a_second_fit_starts_anew(kind: str):
    x = clusters(300)
    model = mixture(kind, 2, 3, False, STEPWISE)
    assert model.fit(x, x, length=0.2) == model.fit(x, x, length=0.2)


def test_length_scales_the_steps():
    steps = []
    model = mixture("gmm", 2, 2, True, FULL)
    model.fit(clusters(100), clusters(50), length=0.1, progress=lambda done, total, message: steps.append(total))
    assert steps == [4] * 4


def test_sizes_of_the_steps():
    config = EMConfig(steps=100, batch=10, size=0.25, size_end=0.01)
    sizes = [config.step_size(step) for step in range(100)]
    # Plain means over the first four batches.
    assert sizes[:3] == [1.0, 0.5, pytest.approx(1 / 3)]
    assert [config.updates(step) for step in range(6)] == [False] * 3 + [True] * 3
    assert sizes[3] == pytest.approx(0.25, abs=1e-3)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == pytest.approx(0.01, abs=1e-3)
    # However short the run, the parameters move.
    assert EMConfig(steps=2).updates(1)
    assert EMConfig(steps=9, batch=None).step_size(5) == 1


def test_bad_input():
    def fit(x: torch.Tensor, held_out: torch.Tensor, model: EllipticalMixture | None = None, **options: float) -> None:
        (model or mixture("gmm", 2, 5, True, FULL)).fit(x, held_out, **options)  # type: ignore[operator]

    x = clusters(50)
    with pytest.raises(DataError, match="5 components of 2 dimensions need at least 5 patches"):
        fit(x[:4], x)
    with pytest.raises(DataError, match="and 1 to be judged by, not 50 and 0"):
        fit(x, x[:0])
    with pytest.raises(DataError, match="NaN or infinite"):
        fit(torch.cat([x, x[:1] * torch.nan]), x)
    with pytest.raises(ConfigError, match="patches of 2 numbers, not 1"):
        fit(x[:, :1], x[:, :1])
    with pytest.raises(ConfigError, match="length must be above 0"):
        fit(x, x, length=0.0)
    with pytest.raises(DataError, match="not positive definite"):
        # Five components on five patches, and nothing to keep them from collapsing.
        fit(x[:5], x, mixture("gmm", 2, 5, True, replace(FULL, ridge=0.0)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"looks": 0}, "looks must be at least 1"),
        ({"size": 0.0}, "size must be above 0 and at most 1"),
        ({"size_end": 2.0}, "size_end must be above 0 and at most 1"),
        ({"ridge": -1.0}, "ridge must be 0 or more"),
    ],
)
def test_bad_settings(settings: dict[str, float], message: str):
    with pytest.raises(ConfigError, match=message):
        EMConfig(**settings)  # type: ignore[arg-type]
