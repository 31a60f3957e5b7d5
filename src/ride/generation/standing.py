"""Where Markov chains stand after so many whole sweeps, and what is kept of where they were."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Standing:
    """K chains after so many sweeps; the next sweep makes another, so that an interrupt finds one of the two.

    Args:
        images: where the chains are.
        done: sweeps made.
        proposed: blocks proposed in them, of all chains.
        accepted: those accepted.
        stride: every so many sweeps are kept.
        seconds: of the sweeps.
        numbers: of the sweeps that are kept.
        kept: the P missing pixels after each of these.
        trace: log-density in nats after each sweep.
    """

    images: Float[Tensor, "K H W M"]
    done: int = 0
    proposed: int = 0
    accepted: int = 0
    stride: int = 1
    seconds: float = 0.0
    numbers: tuple[int, ...] = ()
    kept: tuple[Float[Tensor, "K P M"], ...] = ()
    trace: tuple[Float[Tensor, " K"], ...] = ()

    def moved(self, images: Tensor, missing: Float[Tensor, "K P M"], density: Tensor, most: int) -> "Standing":
        """After another sweep: where the chains are, their missing pixels and log-densities.

        Beyond `most` kept draws every other one is dropped.
        """
        done, stride, numbers, kept = self.done + 1, self.stride, self.numbers, self.kept
        if done % stride == 0:
            numbers, kept = (*numbers, done), (*kept, missing.clone())
        if len(kept) > most:
            stride *= 2
            some = [place for place, number in enumerate(numbers) if number % stride == 0]
            numbers, kept = tuple(numbers[k] for k in some), tuple(kept[k] for k in some)
        trace = (*self.trace, density)
        return replace(self, images=images, done=done, stride=stride, numbers=numbers, kept=kept, trace=trace)

    def tree(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        named = {name: getattr(self, name) for name in ("images", "done", "proposed", "accepted", "stride", "seconds")}
        # Before the first sweep there is nothing to stack.
        stacked = {name: torch.stack(getattr(self, name)) for name in ("kept", "trace") if getattr(self, name)}
        return {**named, "numbers": self.numbers, **stacked}

    @classmethod
    def of(cls, tree: Mapping[str, Any], like: Tensor) -> "Standing":
        """What a checkpoint kept, with images of the type and on the device of `like`.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is the checkpoint of something else.
        """
        numbers = tuple(tree["numbers"])
        return cls(
            images=tree["images"].to(like),
            **{name: tree[name] for name in ("done", "proposed", "accepted", "stride", "seconds")},
            numbers=numbers,
            kept=tree["kept"].to(like).unbind() if numbers else (),
            trace=tree["trace"].unbind() if tree["done"] else (),
        )
