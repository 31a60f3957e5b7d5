"""What Markov chains tell of missing pixels: mean, deviation, intervals, and how far they are to be trusted."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.errors import ConfigError
from ride.generation.effective import effective_draws
from ride.wording import counted


@dataclass(frozen=True)
class Inpainting:
    """An image with a hole, and K chains that draw its missing pixels.

    Args:
        image: as it was given, in units of the full range; what the hole has changes nothing, and where that was no
            number from 0 to 1 there is 0.
        mask: true where pixels are missing.
        draws: the image as each chain has it now; outside the hole the bits of `image`.
        kept: the P missing pixels at S earlier points of the chains, the first of them left out.
        log_density: of the pixels around and in the hole, in nats, after each sweep: up to a constant that of the
            posterior.
        sweeps: how often each block was updated.
        accepted: share of proposals accepted.
        continued: the image was continued by its mirror image, for the hole is near its border.
        seconds: of the sweeps.
    """

    image: Float[Tensor, "H W *M"]
    mask: Bool[Tensor, "H W"]
    draws: Float[Tensor, "K H W *M"]
    kept: Float[Tensor, "S K P *M"]
    log_density: Float[Tensor, "T K"]
    sweeps: int
    accepted: float
    continued: bool
    seconds: float = 0.0

    @property
    def best(self) -> Float[Tensor, "H W *M"]:
        """The present draw of the chain with the highest density."""
        return self.draws[int(self.log_density[-1].argmax())] if len(self.log_density) else self.draws[0]

    @property
    def mean(self) -> Float[Tensor, "H W *M"]:
        """Posterior mean of each missing pixel in the image."""
        return self._in_image(self._samples.mean(0))

    @property
    def std(self) -> Float[Tensor, "H W *M"]:
        """Posterior standard deviation of each missing pixel, 0 elsewhere."""
        samples = self._samples
        return self._in_image(samples.std(0) if len(samples) > 1 else torch.zeros_like(samples[0]), empty=True)

    def interval(self, level: float = 0.9) -> tuple[Float[Tensor, "H W *M"], Float[Tensor, "H W *M"]]:
        """Between what two values each missing pixel lies with this probability, as much of it above as below.

        Raises:
            ConfigError: the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ConfigError(f"the level of an interval is between 0 and 1, not {level}")
        samples = self._samples.double()
        low, high = torch.quantile(samples, samples.new_tensor([0.5 - level / 2, 0.5 + level / 2]), dim=0).to(
            self.image.dtype
        )
        return self._in_image(low), self._in_image(high)

    def coverage(self, truth: Float[Tensor, "H W *M"], level: float = 0.9) -> float:
        """The share of missing pixels whose true value lies in their interval; `level` if the model is right."""
        low, high = self.interval(level)
        inside = (truth >= low) & (truth <= high)
        return float(inside[self.mask].double().mean())

    @cached_property
    def effective(self) -> float:
        """Effective number of draws of the mean of a missing pixel: the median over these."""
        return float(effective_draws(self.kept.flatten(2)).median()) if len(self.kept) else 0.0

    @property
    def _samples(self) -> Float[Tensor, "N P *M"]:
        """All draws that count, of all chains; the present ones where there are no others yet."""
        return self.kept.flatten(0, 1) if len(self.kept) else self.draws[:, self.mask]

    def _in_image(self, values: Float[Tensor, "P *M"], empty: bool = False) -> Float[Tensor, "H W *M"]:
        whole = torch.zeros_like(self.image) if empty else self.image.clone()
        whole[self.mask] = values.to(whole)
        return whole

    def __str__(self) -> str:
        """In a line: sweeps, acceptance and effective draws."""
        work = [
            counted(int(self.mask.sum()), "missing pixel"),
            counted(len(self.draws), "chain"),
            counted(self.sweeps, "sweep"),
        ]
        return (
            f"{', '.join(work)}: {100 * self.accepted:.0f} % of proposals accepted,"
            f" {counted(round(self.effective), 'effective draw')} of a pixel"
        )
