"""Training: the curriculum, the fine-tuning of the head, checkpoints."""

from ride.training.config import FitConfig, Stage
from ride.training.fit import FitResult, fit

__all__ = ["FitConfig", "FitResult", "Stage", "fit"]
