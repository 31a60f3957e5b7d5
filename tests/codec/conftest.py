"""What the tests of the codec share."""

import os

import pytest
import torch

import ride.codec.native
from ride.native import available


@pytest.fixture(params=["numpy", "compiled"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test without what was compiled, and again with it."""
    if request.param == "numpy":
        monkeypatch.setattr(ride.codec.native, "usable", lambda: False)
    elif not available(torch.float64):
        why = "the kernels were not compiled when the package was installed"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return str(request.param)
