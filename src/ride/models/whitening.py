"""Conditional whitening of a pixel and its neighborhood, equation (7)."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ride.errors import DataError

# Variances below this fraction of the largest count as zero. Dequantised 16-bit pixels reach 3e-11;
# the rounding of float64 moments and of float32 pixels stays below 1e-14.
_NULL = 1e-12
# Pairs that are converted to float64 at once.
_CHUNK = 65536


class ConditionalWhitening(nn.Module):
    """Whitens the inputs x, and what a linear prediction from x leaves of the outputs y; equation (7).

        x̂ = Cxx^(-1/2) (x - m_x),    ŷ = W (y - m_y - Cyx Cxx^(-1/2) x̂),
        W = (Cyy - Cyx Cxx^(-1) Cyx^T)^(-1/2)

    with symmetric square roots. The density of y is that of ŷ times |det W|, so the log-likelihood of a
    pixel is that of ŷ plus `log_jacobian` (nats).

    A direction in which x does not vary (a constant image, a padded patch, an input given twice) is dropped
    from x̂. A direction of y that x determines exactly keeps unit gain, so that the density stays finite and
    the map invertible. Before `fit` both maps are the identity. `inputs` D and `outputs` M; D may be 0.
    """

    mean_in: Tensor
    mean_out: Tensor
    whiten_in: Tensor
    predictor: Tensor
    whiten_out: Tensor
    log_jacobian: Tensor
    fitted: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean_in", torch.zeros(inputs))  # m_x [D]
        self.register_buffer("mean_out", torch.zeros(outputs))  # m_y [M]
        self.register_buffer("whiten_in", torch.eye(inputs))  # Cxx^(-1/2) [D, D]
        self.register_buffer("predictor", torch.zeros(outputs, inputs))  # Cyx Cxx^(-1/2) [M, D]
        self.register_buffer("whiten_out", torch.eye(outputs))  # W [M, M]
        self.register_buffer("log_jacobian", torch.zeros(()))  # log|det W|
        self.register_buffer("fitted", torch.tensor(False))

    def fit(
        self, pairs: Iterable[tuple[Float[Tensor, "*batch D"], Float[Tensor, "*batch M"]]]
    ) -> "ConditionalWhitening":
        """Set the means and (biased) covariances from pairs of inputs and outputs, read once.

        Memory does not grow with the number of pairs; moments are float64. Raises `DataError`, and changes
        nothing, for numbers that are not finite and for fewer than D + M + 1 pairs.
        """
        d, m = len(self.mean_in), len(self.mean_out)
        count = 0
        mean = torch.zeros(d + m, dtype=torch.float64)
        scatter = torch.zeros(d + m, d + m, dtype=torch.float64)
        for x, y in pairs:
            rows = y.shape[:-1].numel()
            x, y = x.detach().reshape(rows, d), y.detach().reshape(rows, m)
            for xs, ys in zip(x.split(_CHUNK), y.split(_CHUNK), strict=True):
                count = _merge(count, mean, scatter, torch.cat([xs, ys], dim=-1).double())
        if count <= d + m:
            raise DataError(
                f"conditional whitening of {d} inputs and {m} outputs needs at least {d + m + 1} pixels,"
                f" and there are {count}: give more or larger images"
            )
        self._set(mean, scatter / count)
        return self

    def _set(self, mean: Tensor, covariance: Tensor) -> None:
        d = len(self.mean_in)
        # The mean is known up to rounding, so that even a constant shows some variance.
        rounding = float(mean.abs().max() * _NULL) ** 2
        cxx, cyx, cyy = covariance[:d, :d], covariance[d:, :d], covariance[d:, d:]
        whiten_in, _ = _inverse_root(cxx, _largest(cxx) * _NULL + rounding, null_gain=0.0)
        predictor = cyx @ whiten_in
        # Relative to Cyy: where x determines y the residual is rounding noise of that size.
        residual = cyy - predictor @ predictor.T
        whiten_out, log_jacobian = _inverse_root(residual, _largest(cyy) * _NULL + rounding, null_gain=1.0)
        self.mean_in.copy_(mean[:d])
        self.mean_out.copy_(mean[d:])
        self.whiten_in.copy_(whiten_in)
        self.predictor.copy_(predictor)
        self.whiten_out.copy_(whiten_out)
        self.log_jacobian.copy_(log_jacobian)
        self.fitted.fill_(True)

    def forward(
        self, x: Float[Tensor, "*batch D"], y: Float[Tensor, "*batch M"]
    ) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, "*batch M"]]:
        """Return x̂ and ŷ."""
        xhat = self.whiten_inputs(x)
        return xhat, self.whiten_outputs(xhat, y)

    def whiten_inputs(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """Return x̂."""
        return linear(x - self.mean_in, self.whiten_in)

    def predict(self, xhat: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch M"]:
        """Return the linear prediction of y."""
        return linear(xhat, self.predictor, self.mean_out)

    def whiten_outputs(
        self, xhat: Float[Tensor, "*batch D"], y: Float[Tensor, "*batch M"]
    ) -> Float[Tensor, "*batch M"]:
        """Return ŷ."""
        return linear(y - self.predict(xhat), self.whiten_out)

    def invert_outputs(
        self, xhat: Float[Tensor, "*batch D"], yhat: Float[Tensor, "*batch M"]
    ) -> Float[Tensor, "*batch M"]:
        """Return y, the inverse of `whiten_outputs`."""
        return self.predict(xhat) + linear(yhat, self.unwhiten_out())

    def unwhiten_out(self) -> Float[Tensor, "M M"]:
        """Return W^-1."""
        return torch.linalg.inv(self.whiten_out)


def _merge(count: int, mean: Tensor, scatter: Tensor, rows: Tensor) -> int:
    """Add rows [P, K] to a running mean [K] and scatter matrix [K, K] in place; return the new count."""
    if not len(rows):
        return count
    if not rows.isfinite().all():
        raise DataError("conditional whitening met a pixel that is NaN or infinite: remove or repair that image")
    total = count + len(rows)
    rows_mean = rows.mean(0)
    centred = rows - rows_mean
    shift = rows_mean.to(mean.device) - mean
    scatter += (centred.T @ centred).to(scatter.device)
    scatter.addr_(shift, shift, alpha=count * len(rows) / total)
    mean += shift * (len(rows) / total)
    return total


def _largest(covariance: Tensor) -> float:
    """Return the largest eigenvalue, 0 for an empty matrix."""
    return max(torch.linalg.eigvalsh(covariance).tolist(), default=0.0)


def _inverse_root(covariance: Tensor, threshold: float, null_gain: float) -> tuple[Tensor, Tensor]:
    """Return the symmetric inverse square root and the log of its determinant.

    Directions with a variance of at most `threshold` get `null_gain` instead.
    """
    variance, direction = torch.linalg.eigh(covariance)
    null = variance <= threshold
    gain = torch.where(null, null_gain, variance.clamp(min=torch.finfo(variance.dtype).tiny).rsqrt())
    return (direction * gain) @ direction.T, gain.log().sum()
