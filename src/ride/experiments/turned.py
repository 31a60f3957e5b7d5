"""The mixture over flips and transposes as the authors' program counts it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ride.data import Picture, dequantize, seeded
from ride.evaluation import PictureRate, Rate, log_prob_maps
from ride.experiments.image_rows import ImageRow
from ride.experiments.results import Result
from ride.experiments.rows import Setting
from ride.models.ensemble import transforms
from ride.models.ride import RIDE
from ride.progress import Progress, part_of


@dataclass(frozen=True, kw_only=True)
class TurnedRow(ImageRow):
    """Whole images, all turned alike, with every pixel that a flip or transpose predicts counted in its likelihood,
    and the likelihood of the mixture divided by the predicted pixels of the image before that.

    A causal neighborhood that is wider than high predicts more pixels of an image that lies than of one that stands:
    of images that stand, those more are a gain of the program's mixture that is not one of the model; of images that
    lie there are none.
    """

    stands: bool = True
    """Turn all images upright; otherwise let all lie."""

    def settings(self, setting: Setting) -> Any:
        """Those of the model, and how it is counted."""
        return [super().settings(setting), "upright" if self.stands else "lying"]

    def run(self, setting: Setting) -> Result:
        """Fit the model, or take the one that is there, and score it."""
        turned, counted = ("turned upright", "more") if self.stands else ("laid down", "fewer")
        scored = (
            f"whole images {turned}, mixture over 8 flips and transposes, {counted} pixels counted than divided by"
        )
        return replace(super().run(setting), scored=scored)

    def _scored(self, model: RIDE, pictures: Sequence[Picture], setting: Setting, progress: Progress | None) -> Rate:
        like = model.whitening.mean_out
        rates = []
        for index, picture in enumerate(pictures):
            image = dequantize(picture, seeded(setting.seed, index)).to(like)
            turned = image.mT if (image.shape[0] < image.shape[1]) == self.stands else image
            members = transforms(turned.unsqueeze(0))
            within = part_of(progress, index, len(pictures))
            totals = [
                log_prob_maps(model, member, progress=part_of(within, k, len(members))).double().sum()
                for k, member in enumerate(members)
            ]
            nats = float(torch.stack(totals).logsumexp(0)) - math.log(len(members))
            pixels = math.prod(model.neighborhood.predicted_shape(*turned.shape))
            rates.append(PictureRate(picture.name, nats / math.log(2) / pixels, pixels))
        return Rate.over(
            rates,
            model=self.name,
            tile=None,
            ensemble=True,
            seed=setting.seed,
            levels=pictures[0].levels,
            channels=pictures[0].channels,
            device=str(like.device),
        )
