"""Log-likelihoods of whole patches, as in the left columns of Tables 1 and 2."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ride.data.patches import PatchSet
from ride.errors import ConfigError, DataError
from ride.evaluation.means import mean_and_error
from ride.models.patches import PatchDensity, PatchEnsemble
from ride.progress import Progress
from ride.threads import spread

AT_ONCE = 10_000
"""Patches scored at a time."""


@dataclass(frozen=True)
class ImageScore:
    """Log-likelihood of the patches of one picture: nats per patch, and how many there are."""

    image: int
    nats: float
    patches: int


@dataclass(frozen=True)
class PatchScore:
    """Mean log-likelihood of patches with what was scored and how. Positive is better.

    Args:
        model: what was scored, in words.
        nats: mean log-density of a patch, in units of the full range.
        stderr: standard error of `nats` over the pictures, since patches of one picture are not independent; None
            for a single picture.
        patches: number of patches scored.
        images: number of pictures that they come from.
        dimension: numbers of a patch.
        ensemble: the mixture over the 8 flips and transposes was scored.
        pictures: the scores of the single pictures.
    """

    model: str
    nats: float
    stderr: float | None
    patches: int
    images: int
    dimension: int
    ensemble: bool
    pictures: tuple[ImageScore, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, for one JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PatchScore":
        """The score that `to_json` described."""
        return cls(**{**values, "pictures": tuple(ImageScore(**picture) for picture in values["pictures"])})

    def __str__(self) -> str:
        error = "" if self.stderr is None else f" ± {self.stderr:.2f}"
        mixture = ", mixture over 8 flips and transposes" if self.ensemble else ""
        pictures = "1 image" if self.images == 1 else f"{self.images:,} images (± standard error over them)"
        return (
            f"{self.model}: {self.nats:.2f}{error} nat on {self.patches:,} patches of {self.dimension} numbers of "
            f"{pictures}{mixture}"
        )


def evaluate_patches(
    model: PatchDensity,
    patches: PatchSet,
    *,
    ensemble: bool = False,
    name: str = "model",
    progress: Progress | None = None,
) -> PatchScore:
    """Score patches with any density of them, in bounded memory, divided over torch's threads.

    Args:
        model: its `log_prob` takes patches [P, D] to nats [P].
        patches: what to score; [P, S, S] are taken row by row.
        ensemble: score the mixture over the 8 flips and transposes, section 3.1.
        name: of the model, in the score.
        progress: called with the patches done and all.

    Raises:
        DataError: there are no patches, or a log-likelihood is not a number.
        ConfigError: the density is of other patches.
    """
    if not len(patches):
        raise DataError("there are no patches to score")
    x = patches.values.flatten(1)
    density = PatchEnsemble(model) if ensemble else model
    # Mixtures fitted by EM have buffers only.
    own = [*model.parameters(), *model.buffers()] if isinstance(model, nn.Module) else []
    device = own[0].device if own else x.device
    nats = torch.empty(len(x), dtype=torch.float64)
    with torch.no_grad():
        for start in range(0, len(x), AT_ONCE):
            part = x[start : start + AT_ONCE].to(device)
            nats[start : start + len(part)] = torch.cat(spread(density.log_prob, part, least=100)).cpu()
            if progress:
                progress(min(start + AT_ONCE, len(x)), len(x), name)
    if not nats.isfinite().all():
        bad = int((~nats.isfinite()).sum())
        raise DataError(f"{name} gives {bad} of {len(x)} patches a log-likelihood that is not finite")
    pictures = _by_image(nats, patches.image)
    mean, error = mean_and_error([one.nats for one in pictures], [one.patches for one in pictures])
    return PatchScore(
        model=name,
        nats=mean,
        stderr=error,
        patches=len(x),
        images=len(pictures),
        dimension=x.shape[1],
        ensemble=ensemble,
        pictures=tuple(pictures),
    )


def patch_gain(better: PatchScore, baseline: PatchScore) -> tuple[float, float | None]:
    """Nats per patch by which one density is better than another on the same patches, and its standard error.

    Raises:
        ConfigError: the scores are of other patches.
    """
    drawn = [[(one.image, one.patches) for one in score.pictures] for score in (better, baseline)]
    if drawn[0] != drawn[1] or better.dimension != baseline.dimension:
        raise ConfigError("a gain is between scores of the same patches of the same pictures")
    differences = [a.nats - b.nats for a, b in zip(better.pictures, baseline.pictures, strict=True)]
    return mean_and_error(differences, [one.patches for one in better.pictures])


def _by_image(nats: Float[Tensor, " P"], image: Int64[Tensor, " P"]) -> list[ImageScore]:
    """Means over the patches of each picture, in order."""
    numbers, place, counts = image.cpu().unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(numbers), dtype=torch.float64).index_add_(0, place, nats)
    means = (sums / counts).tolist()
    return [ImageScore(*one) for one in zip(numbers.tolist(), means, counts.tolist(), strict=True)]
