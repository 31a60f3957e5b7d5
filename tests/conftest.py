"""Shape annotations are checked while testing, and results depend on fixed seeds and one thread."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from jaxtyping import install_import_hook

install_import_hook("ride", "beartype.beartype")

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    # Triton decides when it is imported whether kernels are compiled or interpreted.
    os.environ.setdefault("TRITON_INTERPRET", "1")

settings.register_profile("ride", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("ride")


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)


@pytest.fixture
def two_threads():
    """Work is divided over two threads, on however many cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
