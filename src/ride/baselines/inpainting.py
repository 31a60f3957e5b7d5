"""Classical inpainting, which continues what surrounds a hole: Telea, Navier-Stokes, biharmonic.

No densities: each has one answer, and none of them knows what the texture is like.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.errors import ConfigError

Method = Literal["telea", "navier-stokes", "biharmonic"]
RADIUS = 3
"""Pixels around a missing one that Telea and Navier-Stokes look at, as in OpenCV's examples."""


def inpaint_classical(method: Method, image: Float[Tensor, "H W"], hole: Bool[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """Fill a hole in an image in units of the full range; pixels outside keep their values.

    `telea` (Telea, 2004) and `navier-stokes` (Bertalmio et al., 2001) are those of OpenCV, which work on 8 bits;
    `biharmonic` (Damelin and Hoang, 2018) is that of scikit-image. What they put outside [0, 1] is clipped.

    Raises:
        ConfigError: the library that has the method is not installed.
    """
    solve = _biharmonic() if method == "biharmonic" else _of_opencv(method)
    # What the hole has must not leak.
    given = torch.where(hole, 0.0, image)
    filled = torch.from_numpy(solve(given.double().numpy(), hole.numpy())).to(image.dtype).clamp(0, 1)
    return torch.where(hole, filled, image)


def _biharmonic() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    try:
        from skimage.restoration import inpaint_biharmonic
    except ImportError as error:
        raise ConfigError("this method needs scikit-image: pip install 'ride-density[bench]'") from error

    def solve(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        return np.asarray(inpaint_biharmonic(image, hole))

    return solve


def _of_opencv(method: Method) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    try:
        import cv2
    except ImportError as error:
        raise ConfigError("this method needs OpenCV: pip install 'ride-density[bench]'") from error
    flag = cv2.INPAINT_TELEA if method == "telea" else cv2.INPAINT_NS

    def solve(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        levels = np.floor(image * 256).clip(0, 255).astype(np.uint8)
        return (cv2.inpaint(levels, hole.astype(np.uint8), RADIUS, flag) + 0.5) / 256

    return solve
