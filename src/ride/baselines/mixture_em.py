"""Expectation-maximisation of mixtures of elliptical distributions, on batches of patches or on all of them."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ride.baselines.elliptical import EllipticalMixture, inverse_factor
from ride.data import seeded
from ride.errors import ConfigError, DataError, require_at_least
from ride.progress import Progress
from ride.threads import spread
from ride.training.best import keep_best
from ride.training.patches import fingerprint

NEGLIGIBLE = 1e-8
"""Posterior probability below which a patch is left out of the moments of a component."""
LEAST = 1000
"""Patches for a thread of its own."""


@dataclass(frozen=True)
class EMConfig:
    """How EM is done: stepwise (Cappé & Moulines, 2009), on batches, with means of sufficient statistics that run
    over them; or on all patches at each step.

    Args:
        steps: each on a batch; all but the first few update the parameters.
        batch: patches a step; None for all of them, with steps of size 1. A step holds some numbers for each patch
            and component at once.
        size: the statistics of a batch are mixed into the running ones with this size in the beginning. The
            parameters rest until so many batches are seen that each has this part in the mean of all.
        size_end: and with this one in the end, along half a cosine.
        ridge: patches, as a part of all, that each component is taken to have seen of the Gaussian of all patches
            besides its own, and each scale of it of patches at precision 1: keeps covariances positive definite.
        looks: how often the held-out patches are scored; the parameters kept are those that were best on them.

    Raises:
        ConfigError: a number makes no sense.
    """

    steps: int = 1000
    batch: int | None = 20_000
    size: float = 0.1
    size_end: float = 0.005
    ridge: float = 1e-9
    looks: int = 10

    def __post_init__(self) -> None:
        require_at_least(1, self, "steps", "looks")
        if self.batch is not None:
            require_at_least(1, self, "batch")
        for name in ("size", "size_end"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be above 0 and at most 1, not {getattr(self, name)}")
        if self.ridge < 0:
            raise ConfigError(f"ridge must be 0 or more, not {self.ridge}")

    def step_size(self, step: int) -> float:
        """How far the running statistics move to those of the batch of a step, counted from 0."""
        if self.batch is None:
            return 1.0
        size = self.size_end + (self.size - self.size_end) * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return max(size, 1 / (step + 1))

    def updates(self, step: int) -> bool:
        """Whether a step, counted from 0, updates the parameters or only gathers statistics."""
        return self.batch is None or (step + 1) * self.size >= 1 or step + 1 == self.steps

    def scaled(self, length: float) -> "EMConfig":
        """The same with so many times the steps."""
        if not length > 0:
            raise ConfigError(f"length must be above 0, not {length}")
        return replace(self, steps=max(1, round(self.steps * length)))


class StepwiseEM:
    """Two conditional maximisations a step, each after an expectation: an ECM algorithm (Meng & Rubin, 1993).

    First the mixing weights and the radial parameters, for which the distances delta are enough; then, with posteriors
    for the new ones, means and covariances. On all patches, with size 1, the likelihood never decreases (but for the
    ridge and rounding).

    Args:
        model: is changed in place.
        ridge: see `EMConfig`.
    """

    def __init__(self, model: EllipticalMixture, ridge: float) -> None:
        self.model, self.ridge = model, ridge
        self.running: dict[str, Tensor] = {}

    def step(self, y: Float[Tensor, "P D"], size: float, *, update: bool = True) -> float:
        """Mix the statistics of whitened patches into the running ones, and update the parameters.

        Returns: mean log-density of the whitened patches in nats, before the update.
        """
        model = self.model
        delta = torch.cat(spread(model.distances, y, least=LEAST), 1)
        joint = model.joint(delta)
        value = float(joint.logsumexp(0).mean(dtype=torch.float64))
        if not math.isfinite(value):
            raise DataError("the likelihood is not finite: raise the ridge, or remove patches that are very far off")
        posterior = joint.softmax(0)
        weight = self._mix("mixing", posterior.mean(-1, dtype=torch.float64), size)
        radial = self._mix("radial", model.radial.statistics(delta, posterior) / len(y), size)
        if update:
            model.log_pi.copy_(((weight + self.ridge) / (weight + self.ridge).sum()).log())
            model.radial.update(radial, weight, self.ridge)
            posterior = model.joint(delta).softmax(0)
        self._moments(y, posterior, model.radial.precision(delta) * posterior, size)
        if update:
            self._locate()
        return value

    def _mix(self, name: str, statistics: Tensor, size: float) -> Tensor:
        """Move a running mean towards the statistics of a batch; float64."""
        if name in self.running:
            self.running[name] += size * (statistics - self.running[name])
        else:
            self.running[name] = statistics
        return self.running[name]

    def _moments(self, y: Tensor, posterior: Tensor, weights: Tensor, size: float) -> None:
        """Mix in the moments of the patches, weighted by their posterior times their expected precision [K, P]."""
        first, second = [], []
        for posterior_k, weights_k in zip(posterior, weights, strict=True):
            rows = (posterior_k > NEGLIGIBLE).nonzero().squeeze(1)
            own = y if len(rows) == len(y) else y[rows]
            weighted = own * weights_k[rows, None]
            first.append(weighted.sum(0))
            second.append(weighted.mT @ own)
        self._mix("weight", posterior.mean(-1, dtype=torch.float64), size)
        self._mix("precision", weights.mean(-1, dtype=torch.float64), size)
        self._mix("first", torch.stack(first).double() / len(y), size)
        self._mix("second", torch.stack(second).double() / len(y), size)

    def _locate(self) -> None:
        """Update means and covariances."""
        model, of = self.model, self.running
        scatter = of["second"]
        if model.free_means:
            mean = of["first"] / (of["precision"] + self.ridge)[:, None]
            model.means.copy_(mean)
            # About the mean, which the ridge draws to that of all patches.
            scatter = scatter - torch.einsum("ki,kj->kij", mean, of["first"])
        identity = torch.eye(model.dimension, dtype=scatter.dtype, device=scatter.device)
        total = model.radial.scatter_weight(of["weight"], of["precision"]) + self.ridge
        model.factors.copy_(inverse_factor((scatter + self.ridge * identity) / total[:, None, None]))


@torch.no_grad()
def fit_em(
    model: EllipticalMixture,
    patches: Float[Tensor, "P D"],
    held_out: Float[Tensor, "V D"],
    config: EMConfig,
    *,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> float:
    """Fit a mixture of elliptical distributions by EM, from components that are drawn anew.

    Args:
        model: is fitted in place.
        patches: to learn from.
        held_out: to choose the best parameters by.
        config: how.
        seed: of the batches and of the first components.
        settings: of the model, so that another run does not go on in its directory.
        directory: of the run: settings, a log in JSON lines and checkpoints; the same call goes on from there.
        progress: called with the steps made and all.

    Returns: the best mean log-likelihood of the held-out patches in nats per patch.

    Raises:
        ConfigError: patches and model do not go together, or the directory holds another run.
        DataError: patches are too few or not finite, or a covariance is not positive definite.
        ModelError: the checkpoint in the directory is damaged.
        OutputError: the directory cannot be written.
    """
    standardize(model, patches, held_out)
    model.initialize(patches, seed)
    em = StepwiseEM(model, config.ridge)
    if config.batch is not None and config.batch >= len(patches):
        config = replace(config, batch=None)
    log_jacobian = float(model.whitening.log_jacobian)
    sweep, order = -1, torch.empty(0)

    def batch(number: int) -> Tensor:
        """All patches, or one of the batches of a sweep, which have no patch in common."""
        nonlocal sweep, order
        if config.batch is None:
            return patches
        batches = len(patches) // config.batch
        if sweep != number // batches:
            sweep = number // batches
            order = torch.randperm(len(patches), generator=seeded(seed, "sweep", sweep))
        at = number % batches * config.batch
        return patches[order[at : at + config.batch].to(patches.device)]

    def step(number: int) -> float:
        y = model.whiten(batch(number))
        return em.step(y, config.step_size(number), update=config.updates(number)) + log_jacobian

    return keep_best(
        model,
        step,
        lambda: float(model.log_prob(held_out).mean(dtype=torch.float64)),
        steps=config.steps,
        looks=config.looks,
        state=lambda: em.running,
        restore=lambda state: em.running.update((name, value.to(patches.device)) for name, value in state.items()),
        settings={
            "em": asdict(config),
            "seed": seed,
            "data": {"train": fingerprint(patches), "valid": fingerprint(held_out)} if directory else {},
            **(settings or {}),
        },
        directory=directory,
        progress=progress,
    )


def standardize(model: EllipticalMixture, patches: Float[Tensor, "P D"], held_out: Float[Tensor, "V D"]) -> None:
    """See that patches can be learned from, and set the whitening.

    Raises:
        ConfigError: patches and model do not go together.
        DataError: patches are too few or not finite.
    """
    for data in (patches, held_out):
        model.check(data)
        if not data.isfinite().all():
            raise DataError("a patch is NaN or infinite: remove or repair the image that it is from")
    least = max(model.components, model.dimension + 1)
    if len(patches) < least or not len(held_out):
        raise DataError(
            f"{model.components} components of {model.dimension} dimensions need at least {least} patches to learn"
            f" from and 1 to be judged by, not {len(patches)} and {len(held_out)}"
        )
    model.whitening.fit([(patches[:, :0], patches)])
