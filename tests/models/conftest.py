"""What the tests of models share."""

import pytest
import torch

import ride.models.mcgsm.native
import ride.models.slstm.native
from ride.native import available


@pytest.fixture(params=["torch", "compiled"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with everything in torch operations, and again with what was compiled."""
    if request.param == "torch":
        for module in (ride.models.slstm.native, ride.models.mcgsm.native):
            monkeypatch.setattr(module, "usable", lambda thing: False)
    elif not available(torch.float64):
        pytest.skip("no compiler was at hand when the package was installed")
    return str(request.param)
