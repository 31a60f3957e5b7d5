"""What the tests of models share."""

import os

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
        why = "the kernels were not compiled when the package was installed"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return str(request.param)
