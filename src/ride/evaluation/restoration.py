"""How near restored pixels are to the true ones."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.errors import ConfigError


def peak_signal_to_noise(
    restored: Float[Tensor, "H W"], truth: Float[Tensor, "H W"], hole: Bool[Tensor, "H W"]
) -> float:
    """Peak signal-to-noise ratio of the pixels of a hole in dB, the peak being the full range: -10 log10 of the mean
    square difference; infinite where there is none."""
    square = float((restored[hole].double() - truth[hole].double()).square().mean())
    return -10 * math.log10(square) if square else math.inf


def structural_similarity(
    restored: Float[Tensor, "H W"], truth: Float[Tensor, "H W"], hole: Bool[Tensor, "H W"]
) -> float:
    """Mean structural similarity (SSIM) at the pixels of a hole, 1 where the images are the same there.

    That of scikit-image with its defaults: windows of 7 x 7 pixels, of which some reach beyond the hole.

    Raises:
        ConfigError: scikit-image is not installed.
    """
    try:
        from skimage.metrics import structural_similarity as similarity
    except ImportError as error:
        raise ConfigError("SSIM needs scikit-image: pip install 'ride-density[bench]'") from error
    _, each = similarity(restored.double().numpy(), truth.double().numpy(), data_range=1.0, full=True)
    return float(torch.from_numpy(each)[hole].mean())
