"""Random numbers as a function of what they are for."""

import numpy as np
import pytest
import torch

from ride.data import seeded


def drawn(*key) -> list[float]:
    return torch.rand(3, generator=seeded(*key)).tolist()


def test_the_same_key_gives_the_same_numbers_and_another_one_others():
    assert drawn(1, "a") == drawn(1, "a")
    assert len({tuple(drawn(*key)) for key in ((1, "a"), (2, "a"), (1, "b"), ("1", "a"), (1,), ("a", 1))}) == 6


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_whole_numbers_of_any_kind_are_the_same(kind):
    assert drawn(kind(7), "a", kind(3)) == drawn(7, "a", 3)


@pytest.mark.parametrize("part", [1.5, None, b"a", (1, 2)])
def test_other_keys_are_refused(part):
    with pytest.raises(TypeError):
        seeded(0, part)
