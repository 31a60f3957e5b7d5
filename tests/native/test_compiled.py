"""The compiled kernels: there or not, never half."""

import subprocess
import sys

import pytest
import torch

from ride.native import available
from ride.native.compiled import SWITCH

ASK = "import torch; from ride.native import available; print(available(torch.float32))"


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_switch(value, monkeypatch):
    monkeypatch.setenv(SWITCH, value)
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(value == "1" and available(torch.float32))


def test_no_kernels_for_types_that_they_do_not_know():
    assert not available(torch.bfloat16)
