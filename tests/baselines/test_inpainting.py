"""Classical inpainting: the hole is filled by what surrounds it and by nothing else."""

import sys
from typing import get_args

import pytest
import torch
from torch import Tensor

from ride.baselines.inpainting import Method, inpaint_classical
from ride.errors import ConfigError

METHODS = get_args(Method)


def slope() -> Tensor:
    return torch.linspace(0.2, 0.8, 30).expand(24, 30).contiguous()


def hole() -> Tensor:
    mask = torch.zeros(24, 30, dtype=torch.bool)
    mask[9:14, 12:18] = True
    return mask


@pytest.mark.parametrize("method", METHODS)
def test_a_slope_is_continued(method: Method):
    filled = inpaint_classical(method, slope(), hole())
    assert torch.equal(filled[~hole()], slope()[~hole()])
    assert (filled - slope()).abs().max() < (0.005 if method == "biharmonic" else 0.04)
    # A constant would not do.
    assert (0.5 - slope())[hole()].abs().max() > 0.05


@pytest.mark.parametrize("method", METHODS)
def test_what_the_hole_has_does_not_leak(method: Method):
    other = torch.where(hole(), torch.rand(24, 30), slope())
    assert torch.equal(inpaint_classical(method, other, hole()), inpaint_classical(method, slope(), hole()))


@pytest.mark.parametrize(("method", "library"), [("telea", "cv2"), ("biharmonic", "skimage.restoration")])
def test_a_missing_library_is_told(method: Method, library: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=r"pip install 'ride-density\[bench\]'"):
        inpaint_classical(method, slope(), hole())
