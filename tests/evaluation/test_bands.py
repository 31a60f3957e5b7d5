"""Scoring in bands is scoring: the same numbers, whatever the memory."""

import pytest
import torch

from ride.errors import DataError
from ride.evaluation import log_prob_map, log_prob_maps
from ride.evaluation.bands import bytes_per_pixel
from ride.models.ride import RIDE, RIDEConfig

SMALL = RIDEConfig(hidden=6, components=3, scales=2, features=4)


def model_of(config: RIDEConfig) -> RIDE:
    torch.manual_seed(1)
    model = RIDE(config).double()
    model.fit_whitening([torch.rand(2, 16, 16, *[config.planes] * (config.planes > 1), dtype=torch.float64)])
    return model


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_bands_are_exact(layers: int, extended: bool, rows: int):
    model = model_of(RIDEConfig(**{**vars(SMALL), "layers": layers, "extended": extended}))
    image = torch.rand(19, 13, dtype=torch.float64)
    memory = rows * 9 * bytes_per_pixel(model)
    torch.testing.assert_close(
        log_prob_map(model, image, memory=memory), model.log_prob(image[None])[0], rtol=1e-12, atol=1e-12
    )


def test_colour_and_wide_neighborhoods_in_bands():
    model = model_of(RIDEConfig(**{**vars(SMALL), "channels": 3, "neighborhood": 7}))
    image = torch.rand(14, 17, 3, dtype=torch.float64)
    torch.testing.assert_close(
        log_prob_map(model, image, memory=1), model.log_prob(image[None])[0], rtol=1e-12, atol=1e-12
    )


def test_given_planes_in_bands():
    model = model_of(RIDEConfig(**{**vars(SMALL), "given": 2}))
    image = torch.rand(14, 17, 3, dtype=torch.float64)
    torch.testing.assert_close(
        log_prob_map(model, image, memory=1), model.log_prob(image[None])[0], rtol=1e-12, atol=1e-12
    )


def test_many_images_are_taken_a_few_at_a_time():
    model = model_of(SMALL)
    images = torch.rand(7, 9, 8, dtype=torch.float64)
    memory = 3 * 7 * 4 * bytes_per_pixel(model)
    torch.testing.assert_close(
        log_prob_maps(model, images, memory=memory), model.log_prob(images), rtol=1e-12, atol=1e-12
    )


def test_progress_counts_every_row_once():
    model = model_of(SMALL)
    seen = []
    log_prob_map(
        model,
        torch.rand(12, 9, dtype=torch.float64),
        memory=3 * 5 * bytes_per_pixel(model),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(3, 10), (6, 10), (9, 10), (10, 10)]


def test_an_image_smaller_than_the_neighborhood_is_refused():
    with pytest.raises(DataError, match="smaller than the neighborhood"):
        log_prob_map(model_of(SMALL), torch.rand(2, 9, dtype=torch.float64))
