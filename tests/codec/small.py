"""Small integer models, made without floating point, and images."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ride.codec import scales
from ride.codec.integer import IntegerHead, IntegerLayer, IntegerModel, Integers, Tables
from ride.models.neighborhood import Neighborhood


class Numbers:
    """Whole numbers from a rule that everyone can follow: x becomes 6364136223846793005 x + 1442695040888963407."""

    def __init__(self, seed: int) -> None:
        self.x = seed

    def within(self, reach: int, *shape: int) -> Integers:
        """Numbers from -reach to reach."""
        values = []
        for _ in range(int(np.prod(shape))):
            self.x = (self.x * 6364136223846793005 + 1442695040888963407) % 2**64
            values.append((self.x >> 33) % (2 * reach + 1) - reach)
        return np.array(values, np.int64).reshape(shape)


def rough_tables() -> Tables:
    """Functions of the right shape from divisions of integers."""
    k = np.arange(-2048, 2049)
    sigmoid = 2**15 + 2**15 * k // (np.abs(k) + 512)
    normal = 2**23 + 2**23 * k // (np.abs(k) + 700)
    exp = 2**16 * 256 // (256 + np.arange(2000) ** 2 // 64)
    exp[-1] = 0
    return Tables(sigmoid, exp, normal)


def small_model(width: int = 5, depth: int = 1, seed: int = 1, given: int = 0) -> IntegerModel:
    """A model of 3 hidden units, 2 features and 3 components of 2 scales whose predictions follow its neighbors."""
    draw, neighborhood, n = Numbers(seed), Neighborhood(width, given), 3
    layers = tuple(
        IntegerLayer(
            draw.within(2**17, 5 * n, (n if number else neighborhood.size) + 2 * n),
            draw.within(2**30, 5 * n),
        )
        for number in range(depth)
    )
    weight = draw.within(2**12, 5, neighborhood.size + n)
    weight[2:] *= 40
    if neighborhood.offsets:
        weight[2:, len(neighborhood.offsets) - 1] += 256 << scales.HEAD_BITS
    bias = draw.within(2**20, 5)
    bias[2:] += 128 << (scales.STATE_BITS + scales.HEAD_BITS)
    head = IntegerHead(
        weight=weight,
        bias=bias,
        energy=draw.within(2**14, 6, 2) + 2**14,
        energy_bits=draw.within(3, 6) + 6,
        eta=draw.within(2**38, 6),
        inverse=draw.within(2**14, 6) + 2**15,
    )
    return IntegerModel(neighborhood, layers, head, rough_tables())


def colour_model() -> IntegerModel:
    """A small model with models of colours."""
    return replace(small_model(), colours=(small_model(depth=2, seed=5, given=1), small_model(3, seed=6, given=2)))


def smooth_image(rows: int, columns: int, seed: int = 2) -> NDArray[np.uint8]:
    """A slope with noise."""
    i, j = np.mgrid[:rows, :columns]
    return (90 + i // 2 + j + Numbers(seed).within(5, rows, columns)).clip(0, 255).astype(np.uint8)
