"""The ensemble of section 3.1 for any density of patches."""

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ride.models.ensemble import transforms
from ride.models.patches.dc import side_of, with_last_pixel


@runtime_checkable
class PatchDensity(Protocol):
    """A density of patches, be it a module or not."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-likelihood of patches [P, D] in nats per patch [P]."""


class PatchEnsemble:
    """Mixture 1/8 sum_k p(T_k x) |det T_k| of a density over the 8 flips and transposes of the patch, section 3.1.

    A patch is S² numbers, or S² - 1 where its mean was subtracted and its last pixel dropped. The pixel is then
    restored, as the pixels sum to 0, and dropped again from the transformed patch. |det T_k| = 1 in either case.
    """

    def __init__(self, model: PatchDensity) -> None:
        self.model = model

    def member_log_probs(self, x: Float[Tensor, "P D"]) -> Float[Tensor, "K P"]:
        """Log-likelihood under each of the 8 members in nats per patch."""
        return torch.stack([self.model.log_prob(member) for member in patch_transforms(x)])

    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-likelihood under the mixture in nats per patch."""
        return self.member_log_probs(x).logsumexp(0) - math.log(8)


def patch_transforms(x: Float[Tensor, "P D"]) -> list[Tensor]:
    """The 8 flips and transposes T_k x of patches of S² or S² - 1 numbers.

    Raises:
        DataError: D is neither.
    """
    side, dropped = side_of(x.shape[1])
    patches = with_last_pixel(x) if dropped else x.unflatten(1, (side, side))
    return [member.flatten(1)[:, : x.shape[1]].contiguous() for member in transforms(patches)]
