"""Annealed importance sampling of partition functions (Salakhutdinov & Murray, "On the quantitative analysis of deep
belief networks", 2008)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LogZ:
    """An estimate of log Z from the weights of independent chains.

    Z itself is estimated without bias, so that log Z tends to be a little too small and likelihoods a little too high,
    the more so the fewer chains carry the weight.

    Args:
        value: log Z in nats.
        error: its standard error in nats, by the delta method.
        effective: effective number of chains, (sum w)^2 / sum w^2; where it is small, the error is not to be trusted.
        chains: how many there were.
    """

    value: float
    error: float
    effective: float
    chains: int


def anneal(
    start: Float[Tensor, "N D"],
    log_z_start: float,
    betas: Iterable[float],
    log_ratio: Callable[[Tensor, float, float], Float[Tensor, " N"]],
    move: Callable[[Tensor, float], Float[Tensor, "N D"]],
) -> LogZ:
    """Estimate the log Z of the last of a row of unnormalised densities p*_beta.

    Args:
        start: exact samples of the first density, one for each chain.
        log_z_start: log Z of the first density.
        betas: from 0 to 1.
        log_ratio: `log_ratio(v, beta, next)` is log p*_next(v) - log p*_beta(v).
        move: `move(v, beta)` moves each chain and leaves p_beta as it is.
    """
    v, log_w = start, torch.zeros(len(start), dtype=torch.float64)
    for beta, following in pairwise(betas):
        log_w += log_ratio(v, beta, following).double().cpu()
        if following < 1:
            v = move(v, following)
    return _estimate(log_w, log_z_start)


def _estimate(log_w: Float[Tensor, " N"], log_z_start: float) -> LogZ:
    count = len(log_w)
    w = (log_w - log_w.max()).exp()
    error = float(w.std() / w.mean()) / math.sqrt(count) if count > 1 else math.inf
    value = log_z_start + float(log_w.logsumexp(0)) - math.log(count)
    return LogZ(value, error, float(w.sum().square() / w.square().sum()), count)
