"""Tractable density models of images: exact likelihoods and sampling with spatial LSTMs.

    import ride

    model = ride.load("bsds300")                     # comes with the package; or the path of one of yours
    model.log_prob(images)                           # nats per predicted pixel, images [B, H, W]
    model.sample(256, 256, seed=0)                   # texture synthesis
    ride.inpaint(model, image, mask, sweeps=100)     # draws of missing pixels, their mean and deviation
    ride.evaluate(model, ride.open_pictures("photos"), tile=64)

Names are imported when they are first used, so that `import ride` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ride.data import Picture, dequantize, open_pictures
    from ride.errors import CodecError, ConfigError, DataError, ModelError, OutputError, RideError
    from ride.evaluation import Rate, evaluate, log_prob_map
    from ride.generation.inpainting import inpaint
    from ride.generation.maximum import most_probable
    from ride.generation.posterior import Inpainting
    from ride.models.ensemble import Ensemble
    from ride.models.files import load, load_card, save
    from ride.models.mcgsm import MCGSM
    from ride.models.neighborhood import Neighborhood
    from ride.models.ride import RIDE, RIDEConfig
    from ride.models.slstm import SpatialLSTM
    from ride.models.whitening import ConditionalWhitening
    from ride.training.config import FitConfig
    from ride.training.fit import fit

__all__ = [
    "MCGSM",
    "RIDE",
    "CodecError",
    "ConditionalWhitening",
    "ConfigError",
    "DataError",
    "Ensemble",
    "FitConfig",
    "Inpainting",
    "ModelError",
    "Neighborhood",
    "OutputError",
    "Picture",
    "RIDEConfig",
    "Rate",
    "RideError",
    "SpatialLSTM",
    "dequantize",
    "evaluate",
    "fit",
    "inpaint",
    "load",
    "load_card",
    "log_prob_map",
    "most_probable",
    "open_pictures",
    "save",
]

_PLACES = {
    "ride.data": ("Picture", "dequantize", "open_pictures"),
    "ride.errors": ("CodecError", "ConfigError", "DataError", "ModelError", "OutputError", "RideError"),
    "ride.evaluation": ("Rate", "evaluate", "log_prob_map"),
    "ride.generation.inpainting": ("inpaint",),
    "ride.generation.maximum": ("most_probable",),
    "ride.generation.posterior": ("Inpainting",),
    "ride.models.ensemble": ("Ensemble",),
    "ride.models.files": ("load", "load_card", "save"),
    "ride.models.mcgsm": ("MCGSM",),
    "ride.models.neighborhood": ("Neighborhood",),
    "ride.models.ride": ("RIDE", "RIDEConfig"),
    "ride.models.slstm": ("SpatialLSTM",),
    "ride.models.whitening": ("ConditionalWhitening",),
    "ride.training": ("FitConfig", "fit"),
}


def __getattr__(name: str) -> object:
    for place, names in _PLACES.items():
        if name in names:
            value = getattr(import_module(place), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'ride' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
