"""Arrays and tensors as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.conftest import correlated, pictures

from ride.data import LazyPictures, dequantize, seeded
from ride.errors import DataError
from ride.training.images import as_pictures

BYTES = correlated(2, (6, 7))
FLOATS = (BYTES / 256).astype(np.float32)


@pytest.mark.parametrize(
    ("images", "levels"),
    [
        (BYTES, 256),
        (torch.from_numpy(BYTES), 256),
        (list(BYTES), 256),
        (tuple(torch.from_numpy(BYTES)), 256),
        (BYTES.astype(np.uint16) * 256, 65536),
        (FLOATS, None),
        (FLOATS.astype(np.float64), None),
        (FLOATS.astype(np.float16), None),
        (torch.from_numpy(FLOATS).requires_grad_(), None),
        (torch.from_numpy(FLOATS).bfloat16(), None),
    ],
)
def test_arrays_and_tensors_become_pictures_with_names(images: Any, levels: int | None):
    found = as_pictures(images, "photo")
    assert [picture.name for picture in found] == ["photo 0", "photo 1"]
    assert {picture.levels for picture in found} == {levels}
    stacked = np.stack([picture.pixels for picture in found]).astype(np.float64)
    np.testing.assert_allclose(stacked / (levels or 1), BYTES / 256, rtol=4e-3)


def test_pictures_stay_as_they_are():
    found = pictures()
    assert all(a is b for a, b in zip(as_pictures(found), found, strict=True))
    assert as_pictures(()) == []


def test_images_may_differ_in_size_and_have_channels():
    found = as_pictures([correlated(1, (6, 7, 3))[0], correlated(1, (9, 5, 3))[0]])
    assert [picture.pixels.shape for picture in found] == [(6, 7, 3), (9, 5, 3)]


def test_the_array_that_was_given_is_not_changed_by_what_comes_of_it():
    images = FLOATS.copy()
    as_pictures(images)[0].pixels[:] = 0
    np.testing.assert_array_equal(images, FLOATS)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("photos", r"'photos'.*open_pictures"),
        (pictures()[0], "Picture"),
        (iter(BYTES), "list of pictures"),
        (7, "int"),
        (None, "NoneType"),
        (BYTES[0], r"\[6, 7\].*images\[None\]"),
        (torch.zeros(6), r"\[B, H, W\]"),
        (["a.png"], "image 0.*'a.png'"),
        ([[1.0, 2.0]], "image 0.*list"),
        (BYTES.astype(np.int64), "image 0.*int64.*uint8"),
        (BYTES > 3, "image 0.*bool"),
        (BYTES.astype(np.float32), r"image 0.*\[0, 1\].*rescale"),
        (FLOATS * np.nan, "image 0.*NaN"),
        ([FLOATS[0], -FLOATS[1]], "image 1.*rescale"),
        ([FLOATS[0], FLOATS[0, 0]], "image 1.*shape"),
        (BYTES[:, :0], "image 0.*shape"),
    ],
)
def test_anything_else_is_refused_by_name(images: Any, message: str):
    with pytest.raises(DataError, match=message):
        as_pictures(images)


@pytest.mark.parametrize("images", [BYTES, FLOATS])
def test_a_mapped_array_is_read_when_it_is_asked_for(images: np.ndarray, tmp_path: Path):
    np.save(tmp_path / "many.npy", images)
    found = as_pictures(np.load(tmp_path / "many.npy", mmap_mode="r"), "photo")
    assert isinstance(found, LazyPictures)
    assert [picture.name for picture in found] == ["photo 0", "photo 1"]
    np.testing.assert_array_equal(np.stack([picture.pixels for picture in found]), images)
    assert as_pictures(found) is found
    assert dequantize(found[0], seeded(0)).shape == (6, 7)
