"""Means over images with their standard errors."""

from collections.abc import Sequence

import torch


def mean_and_error(values: Sequence[float], weights: Sequence[int]) -> tuple[float, float | None]:
    """Mean over all pixels or patches, and its standard error over images.

    Args:
        values: the mean of each image.
        weights: how many pixels or patches that is of; images may differ in it.

    Returns: the mean, and the error; None for a single image.
    """
    share = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    x = torch.tensor(values, dtype=torch.float64)
    mean = (share * x).sum()
    n = len(x)
    if n == 1:
        return float(mean), None
    return float(mean), float(((share * (x - mean)) ** 2).sum().mul(n / (n - 1)).sqrt())
