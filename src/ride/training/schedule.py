"""The learning rate of each gradient step."""

import math

from ride.training.config import FitConfig


def learning_rate(config: FitConfig, number: int, step: int, total: int) -> float:
    """The rate of step `step` (from 0) of `total` in stage `number`.

    Constant, or half a cosine from `rate` at step 0 to `rate_end` at step `total`; the first stage warms up.
    """
    stage = config.stages[number]
    rate = stage.rate
    if stage.rate_end is not None:
        rate = stage.rate_end + (rate - stage.rate_end) * 0.5 * (1 + math.cos(math.pi * step / total))
    if number == 0 and step < config.warmup:
        rate *= (step + 1) / config.warmup
    return rate
