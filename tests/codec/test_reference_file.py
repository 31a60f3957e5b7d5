"""Another program, written from the description, reads whole files."""

import numpy as np
import pytest
from tests.codec.reference_file import read_file
from tests.codec.small import Numbers, colour_model, small_model, smooth_image

from ride.codec import decode, encode, parse

MODEL = small_model()
COLOUR = np.stack([smooth_image(17, 20, seed) for seed in range(3)], axis=2)
WIDE = smooth_image(20, 37).astype(np.uint16)
NOISE = Numbers(4).within(40, 20, 37).astype(np.uint16)


@pytest.mark.parametrize(
    "image",
    [
        smooth_image(20, 37),
        (smooth_image(33, 20) // 4 * 4).astype(np.uint8),
        np.full((3, 40), 7, np.uint8),
        np.tile(Numbers(1).within(127, 3, 4).astype(np.uint8), (10, 10)),
        Numbers(1).within(127, 18, 18).astype(np.uint8),
        COLOUR,
        WIDE * 257,
        WIDE * 16 + NOISE % 16,
        WIDE * 256 + NOISE,
        COLOUR.astype(np.uint16) * 91,
        np.concatenate([COLOUR] * 3, axis=1).astype(np.uint16) * 7 + np.arange(3, dtype=np.uint16),
    ],
)
@pytest.mark.parametrize("turns", [1, 8])
def test_another_program_reads_the_file(image, turns):
    assert read_file(MODEL, encode(image, MODEL, side=16, turns=turns)) == image.tolist()


@pytest.mark.parametrize("turns", [1, 8])
@pytest.mark.parametrize("image", [COLOUR, COLOUR.astype(np.uint16) * 91, COLOUR[..., 0], COLOUR[:1, :2]])
def test_another_program_reads_colours_given_each_other(image, turns):
    model = colour_model()
    data = encode(image, model, side=16, turns=turns)
    assert read_file(model, data) == image.tolist()
    assert np.array_equal(decode(data, model), image)


def test_the_images_above_are_coded_in_many_ways():
    layouts = {
        (info.layout.bits, bool(info.listed), info.channels)
        for info in (
            parse(encode(image, MODEL), None)
            for image in (
                COLOUR,
                WIDE * 257,
                WIDE * 16 + NOISE % 16,
                WIDE * 256 + NOISE,
                COLOUR.astype(np.uint16) * 91,
            )
        )
    }
    assert (8, False, 3) in layouts
    assert (8, True, 1) in layouts
    assert (16, False, 1) in layouts
    assert (8, True, 3) in layouts
    assert any(8 < bits < 16 for bits, _, _ in layouts)
