"""What `import ride` offers."""

import subprocess
import sys

import pytest

import ride


@pytest.mark.parametrize("name", ride.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(ride, name).__name__ == name
    assert name in dir(ride)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="nonsense"):
        ride.nonsense  # noqa: B018


def test_importing_ride_imports_nothing_heavy():
    program = "import ride.cli.main, sys; assert not {'torch', 'numpy', 'tyro', 'rich'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", program], check=True)
