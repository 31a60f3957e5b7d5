"""Pictures that are made when they are asked for."""

import pytest

from ride.data import DeadLeaves, hold_out
from ride.errors import DataError


def test_images_held_out_are_made_one_by_one():
    leaves = DeadLeaves(6, size=(5, 5))
    training, held_out = hold_out(leaves, 2, seed=0)
    assert (len(training), len(held_out)) == (4, 2)
    names = [picture.name for picture in training]
    assert sorted([*names, *(picture.name for picture in held_out)]) == leaves.names
    assert names == sorted(names)
    assert training[-1].name == names[-1]
    assert [picture.name for picture in training[1:3]] == names[1:3]
    with pytest.raises(IndexError):
        held_out[2]
    with pytest.raises(DataError, match="of 6 images 6 are to be held out"):
        hold_out(leaves, 6, seed=0)
