"""The densities of patches in the tables: each made, fitted, kept and read again in the same way."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ride.baselines.deep_gmm import DeepGMM, DeepGMMConfig
from ride.baselines.deep_rnade import DeepRNADE, DeepRNADEConfig
from ride.baselines.diffusion import Diffusion, DiffusionConfig
from ride.baselines.gaussian import Gaussian, GaussianConfig
from ride.baselines.grbm import GRBM, GRBMConfig
from ride.baselines.isa import ISA, ISAConfig
from ride.baselines.mixtures import GMM, GSM, STM, GMMConfig, GSMConfig, MoGSM, MoGSMConfig, STMConfig
from ride.baselines.rnade import RNADE, RNADEConfig
from ride.baselines.trained import TrainedConfig
from ride.models.patches import PatchMCGSM, PatchMCGSMConfig, PatchRIDE, PatchRIDEConfig
from ride.progress import Progress
from ride.training.patch_mcgsm import PatchMCGSMFitConfig, fit_patch_mcgsm
from ride.training.patch_ride import PatchRIDEFitConfig, fit_patch_ride


@dataclass(frozen=True)
class OwnMCGSM:
    """An MCGSM for each pixel, and how it is fitted."""

    model: PatchMCGSMConfig
    fit: PatchMCGSMFitConfig


@dataclass(frozen=True)
class OwnRIDE:
    """A RIDE of patches, and how it is fitted."""

    model: PatchRIDEConfig
    fit: PatchRIDEFitConfig


Baseline = (
    GaussianConfig
    | GSMConfig
    | MoGSMConfig
    | GMMConfig
    | STMConfig
    | ISAConfig
    | RNADEConfig
    | DeepRNADEConfig
    | DeepGMMConfig
    | GRBMConfig
    | DiffusionConfig
)
Density = OwnMCGSM | OwnRIDE | Baseline
"""What is fitted: the settings of a density and of its fit."""


def settings(density: Density) -> list[Any]:
    """Kind, settings, and how those of a trained density say that it is trained, for a digest."""
    schedule = [asdict(density.schedule(1.0, 0))] if isinstance(density, TrainedConfig) else []
    return [type(density).__name__, asdict(density), *schedule]


def fitted(
    density: Density,
    dimension: int,
    patches: tuple[Tensor, Tensor],
    directory: Path,
    *,
    seed: int,
    length: float,
    device: torch.device,
    progress: Progress | None,
) -> nn.Module:
    """A density fitted to patches [P, D] and judged by held-out ones [V, D]; what the directory has is gone on with.

    Raises:
        RideError: the fit failed, or the directory is that of another one.
    """
    torch.manual_seed(seed)
    fit = _fit(density, length)
    model = make(density, dimension).to(device)
    fit(model, *(part.to(device) for part in patches), seed=seed, directory=directory, progress=progress)
    return model.eval()


def make(density: Density, dimension: int) -> nn.Module:
    """The density with its first parameters."""
    match density:
        case OwnMCGSM(config, _):
            return PatchMCGSM(dimension, config)
        case OwnRIDE(config, _):
            return PatchRIDE(config)
        case GaussianConfig():
            return Gaussian(dimension, density)
        case GSMConfig():
            return GSM(dimension, density)
        case MoGSMConfig():
            return MoGSM(dimension, density)
        case GMMConfig():
            return GMM(dimension, density)
        case STMConfig():
            return STM(dimension, density)
        case ISAConfig():
            return ISA(dimension, density)
        case RNADEConfig():
            return RNADE(dimension, density)
        case DeepRNADEConfig():
            return DeepRNADE(dimension, density)
        case DeepGMMConfig():
            return DeepGMM(dimension, density)
        case GRBMConfig():
            return GRBM(dimension, density)
        case DiffusionConfig():
            return Diffusion(dimension, density)


def _fit(density: Density, length: float) -> Callable[..., float]:
    """How the density is fitted in so many times the length of its settings."""
    match density:
        case OwnMCGSM(_, config):

            def fit_mcgsm(model: PatchMCGSM, patches: Tensor, held_out: Tensor, **more: Any) -> float:
                seed = more.pop("seed")
                seeded = replace(config, seed=seed, steps=replace(config.steps, seed=seed))
                return fit_patch_mcgsm(model, patches, held_out, seeded.scaled(length), **more)

            return fit_mcgsm
        case OwnRIDE(_, recipe):

            def fit_ride(model: PatchRIDE, patches: Tensor, held_out: Tensor, **more: Any) -> float:
                seeded = replace(recipe, steps=replace(recipe.steps, seed=more.pop("seed")))
                return fit_patch_ride(model, patches, held_out, seeded.scaled(length), **more)

            return fit_ride
        case _:

            def fit_baseline(model: Any, patches: Tensor, held_out: Tensor, **more: Any) -> float:
                result: float = model.fit(patches, held_out, length=length, **more)
                return result

            return fit_baseline
