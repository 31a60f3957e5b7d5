"""Log-likelihood maps and rates, and the baselines beside them."""

from ride.evaluation.bands import log_prob_map, log_prob_maps
from ride.evaluation.histogram import Histogram
from ride.evaluation.rates import PictureRate, Rate, evaluate, gain

__all__ = ["Histogram", "PictureRate", "Rate", "evaluate", "gain", "log_prob_map", "log_prob_maps"]
