"""The ascent ends where the density is highest, and touches nothing but the hole."""

from typing import Any

import pytest
import torch
from tests.generation.conftest import lively, picture, square
from torch import Tensor

from ride.errors import ConfigError
from ride.generation import maximum
from ride.generation.canvas import Canvas
from ride.generation.inpainting import inpaint, log_density
from ride.generation.maximum import most_probable
from ride.models.ride import RIDE

MASK = square(26, 26, 13, 12, 3, 4)


@torch.no_grad()
def test_one_missing_pixel_is_put_where_the_density_is_highest():
    model, image, mask = lively(layers=1), picture(26, 26), square(26, 26, 13, 12, 1, 1)
    grid = torch.linspace(0, 1, 1001).double()
    images = image.repeat(1001, 1, 1)
    images[:, 13, 12] = grid
    nats = torch.cat([model.log_prob(part).sum((1, 2)) for part in images.split(200)])
    with torch.enable_grad():
        found = most_probable(model, image, mask, 120, starts=2)
    assert float(found[13, 12]) == pytest.approx(float(grid[nats.argmax()]), abs=2e-3)


def test_it_is_more_probable_than_samples_and_leaves_the_rest():
    model, image = lively(layers=2), picture(26, 26)
    before = image.clone()
    seen = []
    found = most_probable(model, image, MASK, 40, starts=2, each=seen.append, every=25)
    assert torch.equal(image, before)
    assert torch.equal(found[~MASK], image[~MASK])
    assert found.min() >= 0
    assert found.max() <= 1
    assert len(seen) == 2
    samples = inpaint(model, image, MASK, 5, chains=5).draws
    with torch.no_grad():
        assert model.log_prob(found[None]).sum() > model.log_prob(samples).sum((1, 2)).max()


def test_of_several_starts_the_highest_point_is_returned(monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[Canvas, Tensor, Tensor]] = []

    def watched(model: RIDE, canvas: Canvas, images: Tensor) -> Tensor:
        density = log_density(model, canvas, images)
        seen.append((canvas, images.detach(), density.detach()))
        return density

    monkeypatch.setattr(maximum, "log_density", watched)
    found = most_probable(lively(layers=1), picture(26, 26), MASK, 4, starts=3, candidates=2)
    (canvas, drawn, first), (_, started, _), *_ = seen
    assert torch.equal(started, drawn.unflatten(0, (3, 2))[torch.arange(3), first.view(3, 2).argmax(1)])
    density = torch.stack([one for _, _, one in seen[1:]])
    step, start = divmod(int(density.argmax()), 3)
    highest = canvas.missing(seen[1 + step][1][start : start + 1])
    assert torch.equal(found[MASK], highest[0, :, 0])


def test_it_stays_within_the_bounds():
    found = most_probable(lively(layers=1), picture(26, 26), MASK, 5, bounds=(0.4, 0.45))
    assert found[MASK].min() >= 0.4
    assert found[MASK].max() <= 0.45


@pytest.mark.parametrize("name", ["steps", "starts", "candidates", "every"])
def test_numbers_that_make_no_sense_are_told(name: str):
    wrong: dict[str, Any] = {name: 0}
    with pytest.raises(ConfigError, match=f"{name} must be at least 1"):
        most_probable(lively(layers=1), picture(26, 26), MASK, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bounds": (1.0, 0.0)}, "the lower bound must be below the upper one, not 1.0, 0.0"),
        ({"bounds": (0.0, float("nan"))}, "lower bound"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
    ],
)
def test_what_inpainting_refuses_is_refused_here_too(wrong: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        most_probable(lively(layers=1), picture(26, 26), MASK, 1, **wrong)
