"""The parameters of an MCGSM as they enter the likelihood."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Terms(NamedTuple):
    """The parameters of an MCGSM as they enter the likelihood."""

    projection: Float[Tensor, "K N"]
    """B: rows b_n (K = F), or without `weights` the columns of the Cholesky factors of all K_c (K = C N)."""
    weights: Float[Tensor, "C F"] | None
    """W: beta_cn^2."""
    a: Float[Tensor, "C M N"]
    u: Float[Tensor, "C M"] | None
    factor: Float[Tensor, "C M M"] | None
    """L_c; None where it is 1 (M = 1)."""
    precision: Float[Tensor, "C S"]
    """lambda_cs."""
    eta: Float[Tensor, "C S"]
    expert: Float[Tensor, "C S"]
    """h_cs."""
