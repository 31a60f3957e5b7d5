"""What the tests of the codec share."""

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
        pytest.skip("no compiler was at hand when the package was installed")
    return str(request.param)
