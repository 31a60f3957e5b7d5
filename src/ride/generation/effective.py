"""How many independent draws those of Markov chains are worth."""

import torch
from jaxtyping import Float
from torch import Tensor


def effective_draws(draws: Float[Tensor, "S K P"]) -> Float[Tensor, " P"]:
    """Effective sample size of the mean of each of P quantities, from S successive draws of K chains.

    S K over the integrated autocorrelation time, which is summed up by Geyer's initial monotone sequence (Geyer, 1992,
    "Practical Markov chain Monte Carlo"). Where the chains are apart their distance counts as correlation (Gelman et
    al., 2013, "Bayesian Data Analysis", section 11.5). At most S K; a quantity that never changes has one draw.
    """
    length, chains, _ = draws.shape
    if length < 4:
        return draws.new_ones(draws.shape[2])
    x = draws.double()
    centred = x - x.mean(0)
    # Twice as long with zeros, so that the end does not meet the beginning.
    power = torch.fft.rfft(centred, 2 * length, dim=0).abs().square()
    covariance = torch.fft.irfft(power, 2 * length, dim=0)[:length].mean(1) / length
    within = covariance[0] * length / (length - 1)
    between = x.mean(0).var(0) if chains > 1 else torch.zeros_like(within)
    total = covariance[0] + between
    moving = total > 0
    correlation = 1 - (within - covariance) / torch.where(moving, total, torch.ones_like(total))
    correlation[0] = 1.0
    pairs = correlation[: length // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    # Sums of two successive ones are positive and fall for a reversible chain; noise is what does not.
    positive = (pairs > 0).to(pairs.dtype).cumprod(0)
    pairs = pairs.cummin(0).values * positive
    time = (2 * pairs.sum(0) - 1).clamp(min=1.0)
    return torch.where(moving, length * chains / time, torch.ones_like(time))
