"""An MCGSM for each pixel: causality, normalisation, the sum over pixels, sampling."""

import pytest
import torch
from tests.models.patches.small import correlated, lively_mcgsm

from ride.errors import ConfigError
from ride.models.patches import PatchMCGSM, PatchMCGSMConfig


def test_a_pixel_depends_on_all_before_it_and_on_none_after_it():
    model = lively_mcgsm(8)
    jacobian = torch.autograd.functional.jacobian(model.log_probs, correlated(1, 8))[0, :, 0]
    assert torch.equal(jacobian != 0, torch.ones(8, 8, dtype=torch.bool).tril())


def test_it_is_the_product_of_the_densities_of_its_pixels():
    model, x = lively_mcgsm(5), correlated(20, 5)
    values = model.log_probs(x)
    for number in range(5):
        pixel = model.pixel(number)
        y, before = x[:, number : number + 1], x[:, :number]
        xhat, yhat = pixel.whitening(before, y)
        # Equation by equation, with the density of the whitened pixel times |det W|.
        expected = pixel.head(xhat).log_prob(yhat) + pixel.whitening.whiten_out.det().abs().log()
        torch.testing.assert_close(values[:, number], expected.flatten())
    torch.testing.assert_close(model.log_prob(x), values.sum(1))


def test_it_integrates_to_one_in_two_dimensions():
    model = lively_mcgsm(2)
    points = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    density = model.log_prob(torch.cartesian_prod(points, points)).detach().exp().view(1201, 1201)
    assert abs(float(torch.trapezoid(torch.trapezoid(density, points), points)) - 1) < 1e-4


def test_samples_have_the_density():
    model = lively_mcgsm(2)
    with torch.no_grad():
        drawn = model.sample(20_000, torch.Generator().manual_seed(0))
        points = torch.linspace(-6, 6, 601, dtype=torch.float64)
        grid = torch.cartesian_prod(points, points)
        density = model.log_prob(grid).exp()
    for power in (1, 2):
        for values, others in ((drawn[:, 0], grid[:, 0]), (drawn[:, 1], grid[:, 1]), (drawn.prod(1), grid.prod(1))):
            expected = float((density * others**power).sum()) * float(points[1] - points[0]) ** 2
            error = float((values**power).std()) / 20_000**0.5
            assert abs(float((values**power).mean()) - expected) < 5 * error + 1e-3


def test_the_first_pixel_has_means_of_its_own_and_the_others_what_was_asked_for():
    model = PatchMCGSM(3, PatchMCGSMConfig(components=5, scales=2, features=7))
    assert model.pixel(0).head.u is not None
    assert [model.pixel(k).head.inputs for k in range(3)] == [0, 1, 2]
    assert all(model.pixel(k).head.b.shape == (7, k) for k in (1, 2))
    assert all(model.pixel(k).head.eta.shape == (5, 2) for k in range(3))


def test_initial_parameters_follow_the_seed():
    model = PatchMCGSM(3, PatchMCGSMConfig(components=5))
    pixel = model.pixel(2)
    found = []
    for _ in range(2):
        pixel.initialize(4)
        found.append(torch.cat([parameter.detach().flatten() for parameter in pixel.head.parameters()]))
    assert torch.equal(*found)


def test_state_is_saved_whole():
    model = lively_mcgsm(3)
    other = PatchMCGSM(3, model.config).double()
    other.load_state_dict(model.state_dict())
    x = correlated(4, 3)
    assert torch.equal(model.log_prob(x), other.log_prob(x))


@pytest.mark.parametrize("name", ["components", "scales", "features"])
def test_sizes_must_be_positive(name: str):
    with pytest.raises(ConfigError, match=f"{name} must be at least 1, not 0"):
        PatchMCGSMConfig(**{name: 0})


def test_patches_must_fit():
    with pytest.raises(ConfigError, match="at least one pixel"):
        PatchMCGSM(0)
    with pytest.raises(ConfigError, match="of 3 numbers, not 4"):
        PatchMCGSM(3, PatchMCGSMConfig(1, 1, 1)).log_prob(torch.zeros(2, 4))
