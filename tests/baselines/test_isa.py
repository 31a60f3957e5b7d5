"""ICA and ISA: a density, the formula written out, mixings that are known, and a fit that goes on where it was."""

from pathlib import Path

import pytest
import torch
from tests.baselines.shared import integral, normal_log_density, patches_of, roughen

from ride.baselines.isa import ISA, ISAConfig, grouped
from ride.errors import ConfigError, DataError


def model_of(dimension: int, subspace: int) -> ISA:
    model = ISA(dimension, ISAConfig(subspace=subspace, scales=3)).double()
    patches = patches_of(500, dimension, dtype=torch.float64)
    model.whitening.fit([(patches[:, :0], patches)])
    roughen(model)
    return model


@pytest.mark.parametrize(("dimension", "subspace"), [(1, 1), (2, 1), (2, 2), (2, 4)])
def test_it_integrates_to_one(dimension: int, subspace: int):
    assert integral(model_of(dimension, subspace).log_prob, dimension, 1001) == pytest.approx(1, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("subspace", [1, 2, 3, 5])
def test_it_is_the_product_of_its_subspaces(subspace: int):
    model, x = model_of(5, subspace), patches_of(6, 5, seed=1, dtype=torch.float64)
    filters = model.filters()
    components = (x - model.whitening.mean_out) @ filters.mT
    expected = torch.linalg.slogdet(filters).logabsdet.repeat(6)
    for k in range(-(-5 // subspace)):
        own = components[:, k * subspace : (k + 1) * subspace]
        deviations = (-0.5 * model.log_lambda[k]).exp()
        densities = normal_log_density(own.unsqueeze(-1), torch.zeros(1).double(), deviations).sum(1).exp()
        expected += (densities @ model.logits[k].softmax(0)).log()
    torch.testing.assert_close(model.log_prob(x), expected)


@pytest.mark.parametrize("subspace", [1, 2])
def test_it_finds_a_known_mixing(subspace: int):
    generator = torch.Generator().manual_seed(4)
    scales = torch.randn(20_000, 6 // subspace, generator=generator).exp().repeat_interleave(subspace, 1)
    sources = scales * torch.randn(20_000, 6, generator=generator)
    mixing = torch.randn(6, 6, generator=generator)
    patches = sources @ mixing.mT
    model = ISA(6, ISAConfig(subspace=subspace, steps=250, batch=300, rate=2e-2))
    model.fit(patches[:18_000], patches[18_000:])
    # Through the filters, each subspace of sources reaches one subspace of components alone.
    through = (model.filters() @ mixing).detach().square()
    gains = through.unflatten(0, (-1, subspace)).unflatten(2, (-1, subspace)).sum((1, 3))
    shares = gains / gains.sum(1, keepdim=True)
    assert shares.max(1).values.min() > 0.98
    assert sorted(shares.argmax(1).tolist()) == list(range(6 // subspace))


def test_what_is_alike_comes_side_by_side():
    likeness = torch.full((5, 5), 0.1) + 0.01 * torch.rand(5, 5)
    likeness[1, 4] = likeness[4, 1] = 0.9
    likeness[0, 3] = likeness[3, 0] = 0.8
    assert [set(grouped(likeness, 2)[k : k + 2]) for k in (0, 2, 4)] == [{1, 4}, {0, 3}, {2}]
    assert sorted(grouped(likeness, 3)) == list(range(5))
    assert grouped(torch.ones(1, 1), 4) == [0]


@pytest.mark.parametrize("steps", [14, 34])
def test_an_interrupted_fit_goes_on_bit_for_bit(tmp_path: Path, steps: int):
    patches, held_out = patches_of(300, 3), patches_of(50, 3, seed=1)

    calls: list[int] = []

    def stop(done: int, total: int, message: str = "") -> None:
        calls.append(done)
        if len(calls) == steps:
            raise KeyboardInterrupt

    def model() -> ISA:
        return ISA(3, ISAConfig(steps=20, batch=30))

    whole, interrupted, resumed = model(), model(), model()
    rate = whole.fit(patches, held_out, seed=3)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(patches, held_out, seed=3, directory=tmp_path, progress=stop)
    assert resumed.fit(patches, held_out, seed=3, directory=tmp_path) == rate
    assert float(resumed.log_prob(held_out).mean()) == pytest.approx(rate, abs=1e-4)
    assert all(torch.equal(whole.state_dict()[name], value) for name, value in resumed.state_dict().items())


def test_bad_input_is_named():
    model = ISA(3, ISAConfig(steps=1))
    with pytest.raises(ConfigError, match="subspace must be at least 1"):
        ISAConfig(subspace=0)
    with pytest.raises(ConfigError, match="at least 1 pixel"):
        ISA(0)
    with pytest.raises(ConfigError, match="patches of 3 pixels"):
        model.log_prob(torch.zeros(5, 4))
    with pytest.raises(DataError, match="at least"):
        model.fit(torch.zeros(0, 3), torch.zeros(5, 3))
    with pytest.raises(DataError, match="NaN"):
        model.fit(torch.full((9, 3), torch.nan), torch.zeros(5, 3))
