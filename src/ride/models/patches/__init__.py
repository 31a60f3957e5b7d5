"""Densities of patches of fixed size, whose every pixel is predicted (section 3.2)."""

from ride.models.patches.dc import side_of, with_last_pixel, without_dc
from ride.models.patches.ensemble import PatchDensity, PatchEnsemble, patch_transforms
from ride.models.patches.mcgsm import PatchMCGSM, PatchMCGSMConfig, PixelMCGSM
from ride.models.patches.ride import PatchRIDE, PatchRIDEConfig

__all__ = [
    "PatchDensity",
    "PatchEnsemble",
    "PatchMCGSM",
    "PatchMCGSMConfig",
    "PatchRIDE",
    "PatchRIDEConfig",
    "PixelMCGSM",
    "patch_transforms",
    "side_of",
    "with_last_pixel",
    "without_dc",
]
