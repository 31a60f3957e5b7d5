"""Small models and images with holes."""

from typing import Any

import torch
from torch import Tensor

from ride.models.ride import RIDE, RIDEConfig

SMALL: dict[str, Any] = {"hidden": 4, "components": 3, "scales": 2, "features": 3}


def lively(seed: int = 0, **changes: Any) -> RIDE:
    """A model of pixels around one half whose states and mixture matter."""
    torch.manual_seed(seed)
    config = RIDEConfig(**{**SMALL, **changes})
    model = RIDE(config).double().eval()
    with torch.no_grad():
        for parameter in model.layers.parameters():
            parameter.uniform_(-1, 1)
        model.head.a.uniform_(-0.5, 0.5)
        model.head.eta.normal_()
    model.fit_whitening([scene(30, 30, config.channels, batch=3)])
    return model


def scene(height: int, width: int, channels: int = 1, batch: int = 1, seed: int = 0) -> Tensor:
    """Smooth images [B, H, W, M] with some noise, within 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, height, width, channels, dtype=torch.float64, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(x.permute(0, 3, 1, 2), 3, stride=1, padding=1).permute(0, 2, 3, 1)
    # Numbers that single precision has too.
    return (0.5 + 0.15 * smooth + 0.03 * x).clamp(0, 1).float().double()


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    """One gray image [H, W]."""
    return scene(height, width, seed=seed)[0, :, :, 0]


def square(height: int, width: int, top: int, left: int, rows: int, columns: int) -> Tensor:
    """A mask with one rectangular hole."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[top : top + rows, left : left + columns] = True
    return mask
