"""The MCGSM as a module: its parameters, and the ways to evaluate it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.errors import ConfigError
from ride.models.mcgsm import kernel
from ride.models.mcgsm.distribution import MCGSMDistribution


class MCGSM(nn.Module):
    """Mixture of conditional Gaussian scale mixtures, equations (3) to (5).

        p(c, s | x)    ∝ exp(eta_cs - 1/2 e^alpha_cs x^T K_c x)
        p(y | x, c, s) = N(y; A_c x + u_c, (e^alpha_cs L_c L_c^T)^-1)
        K_c            = sum_n beta_cn^2 b_n b_n^T

    Parameters are `eta` [C, S], `alpha` [C, S], `beta` [C, F], `b` [F, N] and `a` [C, M, N]; for M > 1 also
    `cholesky` [C, M, M], whose lower triangle is L_c with its first entry fixed to 1; with `means` also `u`
    [C, M], otherwise 0. Without the factorisation `k_cholesky` [C, N, N] takes the place of `beta` and `b`:
    K_c is its lower triangle times the transpose of that. With N = 0 inputs this is a mixture of Gaussian
    scale mixtures.

    Args:
        inputs: N, may be 0.
        outputs: M, channels of a pixel.
        components: C.
        scales: S.
        features: F; None for a full K_c.
        means: experts have the means u_c.

    Raises:
        ConfigError: a size makes no sense, or data do not fit the sizes.
    """

    cholesky: nn.Parameter | None
    u: nn.Parameter | None

    def __init__(
        self,
        inputs: int,
        outputs: int = 1,
        components: int = 32,
        scales: int = 4,
        features: int | None = 32,
        means: bool = False,
    ) -> None:
        super().__init__()
        if inputs < 0:
            raise ConfigError(f"an MCGSM needs 0 inputs or more, not {inputs}")
        sizes = {"outputs": outputs, "components": components, "scales": scales, "features": features}
        for name, size in sizes.items():
            if size is not None and size < 1:
                raise ConfigError(f"an MCGSM needs at least 1 of its {name}, not {size}")
        self.inputs, self.outputs, self.components, self.scales = inputs, outputs, components, scales
        self.features = features
        self.eta = nn.Parameter(torch.empty(components, scales))
        self.alpha = nn.Parameter(torch.empty(components, scales))
        if features is None:
            self.k_cholesky = nn.Parameter(torch.empty(components, inputs, inputs))
        else:
            self.beta = nn.Parameter(torch.empty(components, features))
            self.b = nn.Parameter(torch.empty(features, inputs))
        self.a = nn.Parameter(torch.empty(components, outputs, inputs))
        self.cholesky = nn.Parameter(torch.empty(components, outputs, outputs)) if outputs > 1 else None
        self.u = nn.Parameter(torch.empty(components, outputs)) if means else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the initial parameters, from the distributions that the authors' program uses."""
        self.eta.zero_()
        self.alpha.uniform_(-1, 1)
        if self.features is None:
            self.k_cholesky.normal_(std=0.01).tril_()
        else:
            self.beta.uniform_(0.01, 0.02)
            self.b.normal_(std=0.01)
        self.a.normal_(std=0.1)
        if self.cholesky is not None:
            self.cholesky.copy_(torch.eye(self.outputs))
        if self.u is not None:
            self.u.zero_()

    def factor(self) -> Float[Tensor, "C M M"]:
        """L_c: what the parameter `cholesky` says, except for its upper triangle (0) and first entry (1)."""
        if self.cholesky is None:
            return self.a.new_ones(self.components, 1, 1)
        first = self.cholesky.new_zeros(self.outputs, self.outputs)
        first[0, 0] = 1
        return self.cholesky.tril() * (1 - first) + first

    def forward(self, x: Float[Tensor, "*batch N"]) -> MCGSMDistribution:
        """The distribution of pixels given x, equation by equation."""
        self._check(x)
        if self.features is None:
            projected = torch.einsum("...n,cnk->...ck", x, self.k_cholesky.tril())
            energy = projected.square().sum(-1)  # x^T K_c x [*, C]
        else:
            energy = (x @ self.b.mT).square() @ self.beta.square().mT
        logits = self.eta - 0.5 * self.alpha.exp() * energy.unsqueeze(-1)  # (4)
        gate = logits.flatten(-2).log_softmax(-1).unflatten(-1, self.eta.shape)
        means = torch.einsum("cmn,...n->...cm", self.a, x)
        if self.u is not None:
            means = means + self.u
        return MCGSMDistribution(gate, means, self.alpha, self.factor())

    def log_prob(self, x: Float[Tensor, "P N"], y: Float[Tensor, "P M"]) -> Float[Tensor, " P"]:
        """Log p(y | x) of each pixel in nats; memory beyond the result does not grow with their number."""
        self._check(x, y)
        return kernel.log_prob(x, y, self._terms())

    def mean_log_prob(self, x: Float[Tensor, "P N"], y: Float[Tensor, "P M"]) -> Float[Tensor, ""]:
        """Mean of log p(y | x) over pixels in nats; all gradients are computed along with it, in one pass.

        Raises:
            ConfigError: there are no pixels.
        """
        self._check(x, y)
        if not len(x):
            raise ConfigError("the mean log-likelihood of no pixels is not defined: give at least one")
        return kernel.mean_log_prob(x, y, self._terms())

    @torch.no_grad()
    def draw(self, x: Float[Tensor, "P N"], u: Float[Tensor, " P"], z: Float[Tensor, "P M"]) -> Float[Tensor, "P M"]:
        """Pixels given x from noise, u uniform in [0, 1) and z standard normal: see `MCGSMDistribution`."""
        return self(x).draw(u, z)

    def _terms(self) -> kernel.Terms:
        """What the kernel computes with; its gradients flow back to the parameters from there."""
        if self.features is None:
            projection, weights = self.k_cholesky.tril().mT.flatten(0, 1), None
        else:
            projection, weights = self.b, self.beta.square()
        factor = None if self.cholesky is None else self.factor()
        expert = 0.5 * self.outputs * (self.alpha - math.log(2 * math.pi))
        if factor is not None:
            expert = expert + factor.diagonal(dim1=1, dim2=2).abs().log().sum(-1, keepdim=True)
        precision = 0.5 * self.alpha.exp()
        return kernel.Terms(projection, weights, self.a, self.u, factor, precision, self.eta, expert)

    def _check(self, x: Tensor, y: Tensor | None = None) -> None:
        for data in (x, y):
            if data is not None and data.dtype != self.a.dtype:
                raise ConfigError(f"this MCGSM computes in {self.a.dtype}: convert the data from {data.dtype}")
        if x.shape[-1] != self.inputs:
            raise ConfigError(f"this MCGSM reads {self.inputs} inputs a pixel, not {x.shape[-1]}")
        if y is not None and y.shape[-1] != self.outputs:
            raise ConfigError(f"this MCGSM predicts {self.outputs} channels a pixel, not {y.shape[-1]}")
        if y is not None and x.shape[:-1] != y.shape[:-1]:
            raise ConfigError(
                f"inputs and pixels must be equally many, not {tuple(x.shape[:-1])} and {tuple(y.shape[:-1])}"
            )

    def extra_repr(self) -> str:
        """The sizes, as printed by `repr`."""
        return (
            f"{self.inputs}, {self.outputs}, components={self.components}, scales={self.scales},"
            f" features={self.features}, means={self.u is not None}"
        )
