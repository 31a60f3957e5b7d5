"""What the autoregressive systems share: a mixture of Gaussians for each pixel, and a Gaussian to start from."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ride.errors import DataError
from ride.models.whitening import ConditionalWhitening

LOG_ROOT_2_PI = 0.5 * math.log(2 * math.pi)
NEARLY_DETERMINED = 1e-6
"""Part of the variance of a pixel that the pixels before must leave over, for the sake of single precision."""


def log_mixture(
    x: Float[Tensor, "*shape"],
    logits: Float[Tensor, "*shape K"],
    means: Float[Tensor, "*shape K"],
    log_scales: Float[Tensor, "*shape K"],
) -> Float[Tensor, "*shape"]:
    """Log-density of numbers under a mixture of Gaussians each, in nats: weights softmax(logits), standard deviations
    exp(log_scales)."""
    deviations = (x.unsqueeze(-1) - means) * (-log_scales).exp()
    log_joint = logits - log_scales - 0.5 * deviations.square()
    return log_joint.logsumexp(-1) - logits.logsumexp(-1) - LOG_ROOT_2_PI


@torch.no_grad()
def start_mixtures(bias: Float[Tensor, "3 *pixels K"]) -> None:
    """Set biases for logits, means and log-scales of mixtures so that they begin as scale mixtures: equal weights,
    zero means, deviations spread from 0.1 to 2 as suits the heavy tails of images."""
    bias.zero_()
    bias[2] = torch.linspace(math.log(0.1), math.log(2.0), bias.shape[-1], dtype=bias.dtype)


class LinearPrediction(nn.Module):
    """The Gaussian with the mean and covariance of the patches, asked for any pixels given any others.

    With L the Cholesky factor of the covariance of the pixels in some order, (x - mean) = L z. The first d of z are
    the first d pixels, made white: given them, the pixels j >= d have the means (L z)_j, with z cut off at d, and the
    variances sum_(k >= d) L_jk^2. That is the conditional whitening of equation (7) for every set of pixels. Systems
    that model what this leaves over still define an exact density of x: log|det L| is all that it adds.

    Args:
        dimension: D, pixels of a patch.
        full: take the whole covariance; otherwise only its diagonal, which standardises each pixel for itself.
    """

    mean: Tensor
    covariance: Tensor
    whiten: Tensor

    def __init__(self, dimension: int, full: bool) -> None:
        super().__init__()
        self.full = full
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("covariance", torch.eye(dimension))
        self.register_buffer("whiten", torch.eye(dimension))  # covariance^(-1/2)

    @torch.no_grad()
    def fit(self, patches: Float[Tensor, "P D"]) -> None:
        """Set mean and covariance.

        Raises:
            DataError: there are too few patches, they are not finite, or the others determine a pixel.
        """
        whitening = ConditionalWhitening(0, patches.shape[1]).fit([(patches[:, :0], patches)])
        root = torch.linalg.inv(whitening.whiten_out.double())
        covariance, whiten = root @ root, whitening.whiten_out
        if not self.full:
            covariance = covariance.diagonal().diag()
            whiten = covariance.diagonal().rsqrt().diag()
        remaining = torch.linalg.cholesky_ex(covariance).L.diagonal().square()
        if not (remaining > NEARLY_DETERMINED * covariance.diagonal()).all():
            raise DataError("a pixel of the patches is nearly determined by others: add noise, or leave pixels out")
        self.mean.copy_(whitening.mean_out)
        self.covariance.copy_(covariance)
        self.whiten.copy_(whiten)

    def factor(self, order: Int[Tensor, "*batch D"]) -> Float[Tensor, "*batch D D"]:
        """L for pixels in the given order."""
        return torch.linalg.cholesky(self.covariance[order.unsqueeze(-1), order.unsqueeze(-2)])
