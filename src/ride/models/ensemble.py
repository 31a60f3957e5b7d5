"""Ensembles over transformations of the image, section 3.1."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.errors import DataError
from ride.models.ride import RIDE


def transforms(images: Float[Tensor, "B H W *M"]) -> list[Tensor]:
    """The 8 flips and transposes of images; each has |det T| = 1."""
    members = []
    for turned in (images, images.transpose(1, 2)):
        members += [turned, turned.flip(1), turned.flip(2), turned.flip(1, 2)]
    return members


class Ensemble(nn.Module):
    """Mixture 1/8 sum_k p(T_k x) of one model over the 8 flips and transposes of the image.

    All members score the same pixels, the central (H - 2r) x (W - 2r) ones, and each pixel outside is given.
    `log_prob` is how a model scores images, for those who want it done in bounded memory.
    """

    def __init__(self, model: RIDE, log_prob: Callable[[RIDE, Tensor], Tensor] = RIDE.log_prob) -> None:
        super().__init__()
        self.model = model
        self._log_prob = log_prob

    def member_log_probs(self, images: Float[Tensor, "B H W *M"]) -> Float[Tensor, "K B"]:
        """Log-likelihood of the central pixels under each of the 8 members, in nats per image.

        Raises:
            DataError: an image has no pixel that all members predict.
        """
        radius = self.model.neighborhood.radius
        if min(images.shape[1:3]) <= 2 * radius:
            raise DataError(
                f"an ensemble needs images of more than {2 * radius} pixels a side, "
                f"not {images.shape[1]} x {images.shape[2]}"
            )
        return torch.stack([self._score(member) for member in transforms(images)])

    def log_prob(self, images: Float[Tensor, "B H W *M"]) -> Float[Tensor, " B"]:
        """Log-likelihood of the central pixels under the mixture, in nats per image."""
        return self.member_log_probs(images).logsumexp(0) - math.log(8)

    def _score(self, images: Tensor) -> Tensor:
        values = self._log_prob(self.model, images)
        # The rows below the central window are predicted too, but only by some of the members.
        return values[:, : values.shape[1] - self.model.neighborhood.radius].double().sum((1, 2))
