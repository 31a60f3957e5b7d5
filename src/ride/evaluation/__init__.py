"""Log-likelihood maps and rates, and the baselines beside them."""

from ride.evaluation.bands import log_prob_map, log_prob_maps
from ride.evaluation.histogram import Histogram
from ride.evaluation.patches import PatchScore, evaluate_patches
from ride.evaluation.rates import PictureRate, Rate, evaluate, gain

__all__ = [
    "Histogram",
    "PatchScore",
    "PictureRate",
    "Rate",
    "evaluate",
    "evaluate_patches",
    "gain",
    "log_prob_map",
    "log_prob_maps",
]
