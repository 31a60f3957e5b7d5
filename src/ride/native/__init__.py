"""Pointwise kernels in C, built where a compiler was at hand; everything works without them."""

from ride.native.compiled import available, kernel

__all__ = ["available", "kernel"]
