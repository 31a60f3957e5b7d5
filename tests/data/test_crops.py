"""Crops are rectangles of the images, every place as likely as any other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ride.data import CropSampler, Picture, Pixels, seeded
from ride.errors import DataError


def continuous(*shapes: tuple[int, ...]) -> list[Picture]:
    """Images all of whose pixels differ, also between images."""
    pictures, start = [], 1
    for number, shape in enumerate(shapes):
        size = int(np.prod(shape))
        values = np.arange(start, start + size, dtype=np.float32).reshape(shape) / 2**20
        pictures.append(Picture(f"{number}", values, None))
        start += size
    return pictures


def place(crop: torch.Tensor, pictures: list[Picture]) -> tuple[int, int, int]:
    """Image, row and column of the first pixel of a crop, which must be a slice from there on."""
    for index, picture in enumerate(pictures):
        found = np.argwhere(picture.pixels.reshape(*picture.pixels.shape[:2], -1)[:, :, 0] == float(crop.flatten()[0]))
        if len(found):
            row, column = (int(k) for k in found[0])
            cut = picture.pixels[row : row + crop.shape[0], column : column + crop.shape[1]]
            np.testing.assert_array_equal(crop.numpy(), cut)
            return index, row, column
    raise AssertionError("the crop is in none of the images")


@given(
    sides=st.lists(st.tuples(st.integers(4, 12), st.integers(5, 12)), min_size=1, max_size=4),
    patch=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    channels=st.sampled_from([(), (1,), (3,)]),
    seed=st.integers(0, 1000),
)
def test_crops_are_slices_of_the_images(sides, patch, channels, seed: int):
    pictures = continuous(*((*side, *channels) for side in sides))
    crops = CropSampler(pictures, patch).draw(6, seeded(seed))
    assert crops.shape == (6, *patch, *channels)
    for crop in crops:
        place(crop, pictures)


@pytest.mark.parametrize(("kind", "levels"), [(np.uint8, 256), (np.uint16, 65536)])
def test_crops_of_integers_are_dequantised_anew(kind, levels: int):
    pixels = np.random.default_rng(0).integers(0, levels, (3, 4), dtype=kind)
    sampler = CropSampler([Picture("x", pixels, levels)], (3, 4))
    first, second = sampler.draw(2, seeded(0))
    assert not torch.equal(first, second)
    for crop in (first, second):
        np.testing.assert_array_equal((crop * levels).floor().int().numpy(), pixels)


def test_every_place_in_all_images_is_equally_likely():
    pictures = continuous((4, 5), (6, 3), (3, 3))
    crops = CropSampler(pictures, (3, 3)).draw(3000, seeded("places"))
    first = crops[:, 0, 0]
    places, counts = first.unique(return_counts=True)
    assert len(places) == 2 * 3 + 4 * 1 + 1
    assert stats.chisquare(counts.numpy()).pvalue > 0.01


def test_crops_are_flipped_as_asked_for():
    (picture,) = pictures = continuous((3, 4))
    upright = torch.from_numpy(picture.pixels)
    forms = {
        "as it is": upright,
        "mirrored": upright.flip(1),
        "upside down": upright.flip(0),
        "both": upright.flip(0, 1),
    }
    for mirror, flip, wanted in (
        (False, False, {"as it is"}),
        (True, False, {"as it is", "mirrored"}),
        (False, True, {"as it is", "upside down"}),
        (True, True, set(forms)),
    ):
        crops = CropSampler(pictures, (3, 4), mirror=mirror, flip=flip).draw(400, seeded(0))
        counts = {name: int((crops == form).flatten(1).all(1).sum()) for name, form in forms.items()}
        assert {name for name, count in counts.items() if count} == wanted
        assert sum(counts.values()) == 400
        assert min(counts[name] for name in wanted) > 0.8 * 400 / len(wanted)


def test_the_generator_decides():
    pictures = continuous((9, 9))
    first, again, other = (CropSampler(pictures, (2, 2)).draw(9, seeded(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def test_images_that_are_too_small_are_named():
    with pytest.raises(DataError, match=r"1 is 3 x 9 pixels, smaller than the patches of 4 x 4"):
        CropSampler(continuous((9, 9), (3, 9)), (4, 4))


def test_images_must_agree():
    gray, colour = continuous((4, 4))[0], Picture("colour", np.zeros((4, 4, 3), dtype=np.float32), None)
    wide = Picture("wide", np.zeros((4, 4), dtype=np.uint16), 65536)
    with pytest.raises(DataError, match="no images"):
        CropSampler([], (1, 1))
    for other in (colour, wide):
        with pytest.raises(DataError, match=f"{other.name} has .* must agree"):
            CropSampler([gray, other], (1, 1))


def test_the_fingerprint_knows_pixels_and_shapes():
    pixels = np.arange(12, dtype=np.uint8)
    base, same, shaped, changed = (
        Pixels([Picture("x", values, 256)]).fingerprint
        for values in (
            pixels.reshape(3, 4),
            pixels.reshape(3, 4).copy(),
            pixels.reshape(4, 3),
            (pixels + (pixels == 5)).astype(np.uint8).reshape(3, 4),
        )
    )
    assert base == same
    assert len({base, shaped, changed}) == 3
