"""Commands that compute on the processor or on an accelerator."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ride.cli.seeded import Seeded
from ride.cli.together import started_together
from ride.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Computing(Seeded):
    """A command with a seed and a device."""

    device: str = "cpu"
    """Where to compute: cpu, cuda or cuda:N."""

    def find_device(self) -> "torch.device":
        """Where to compute, once the other options are applied.

        Raises `ConfigError` for a device that is not there, or settings that make no sense.
        """
        self.start()
        import torch

        try:
            device = torch.device(self.device)
        except RuntimeError:
            device = None
        if device is None or device.type not in ("cpu", "cuda"):
            raise ConfigError(f"--device must be cpu, cuda or cuda:N, not {self.device}")
        if device.type == "cuda" and started_together():
            return self._own_device(device)
        count = torch.cuda.device_count()
        if device.type == "cuda" and (device.index or 0) >= count:
            raise ConfigError(
                f"--device {self.device} is not there: PyTorch finds {count} CUDA devices on this machine;"
                " leave the option out to compute on the processor"
            )
        return device

    def _own_device(self, device: "torch.device") -> "torch.device":
        """One for each process of a machine."""
        import torch

        if device.index is not None:
            raise ConfigError(f"--device {self.device} is one for all processes: give cuda, and each takes its own")
        own, count = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
        if own >= count:
            raise ConfigError(
                f"--device cuda needs a CUDA device for each process and PyTorch finds {count} on this machine: start"
                " fewer processes on it, or leave the option out"
            )
        torch.cuda.set_device(own)
        return torch.device("cuda", own)
