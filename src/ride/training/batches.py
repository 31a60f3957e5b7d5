"""The patches of each gradient step, as a function of the seed and the step alone, so that a run can be resumed."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ride.data import CropSampler, Picture, Pixels, Tiles, dequantize, seeded
from ride.training.config import FitConfig, Stage


class Batches:
    """Patches from training images: fresh random crops, or the tiles of the images in a new order each stage."""

    def __init__(self, images: Sequence[Picture], config: FitConfig) -> None:
        self.config = config
        self.pixels = Pixels(_with_noise(images, config.seed) if config.noise == "fixed" else images)
        self._crops: CropSampler | None = None
        self._tiles: Tiles | None = None
        self._order = (-1, torch.empty(0))

    def sampler(self, patch: tuple[int, int]) -> CropSampler:
        """Random crops of any shape from the training images."""
        if self._crops is None or self._crops.patch != patch:
            self._crops = CropSampler(self.pixels, patch, mirror=self.config.mirror, flip=self.config.flip)
        return self._crops

    def tiles(self, patch: int) -> Tiles:
        """All patches of the training images that do not overlap."""
        if self._tiles is None or self._tiles.size != patch:
            self._tiles = Tiles(self.pixels, patch)
        return self._tiles

    def steps(self, stage: Stage) -> int:
        """Gradient steps of a stage; a last, incomplete batch is dropped."""
        if stage.steps is not None:
            return stage.steps
        patches = len(self.tiles(stage.patch)) * self._twins * stage.epochs
        return max(1, int(patches) // self.config.batch_of(stage))

    def draw(self, number: int, stage: Stage, step: int) -> Tensor:
        """Patches [batch, patch, patch(, M)] of one step of stage `number`."""
        config, size = self.config, self.config.batch_of(stage)
        if config.crops == "fresh":
            sampler = self.sampler((stage.patch, stage.patch))
            return sampler.draw(size, seeded(config.seed, "crops", number, step))
        order = self._shuffled(number, stage)
        chosen = order[torch.arange(step * size, (step + 1) * size) % len(order)]
        tiles = self.tiles(stage.patch)
        patches = tiles.batch(chosen % len(tiles), seeded(config.seed, "tiles", number, step))
        twin = chosen // len(tiles)
        mirrored = (twin % 2 == 1) & config.mirror
        flipped = twin >= self._twins // 2 if config.flip else torch.zeros_like(mirrored)
        for wanted, axis in ((mirrored, 2), (flipped, 1)):
            patches[wanted] = patches[wanted].flip(axis)
        return patches

    @property
    def _twins(self) -> int:
        """How often a tile occurs in an epoch: as it is, mirrored, upside down, both."""
        return (1 + self.config.mirror) * (1 + self.config.flip)

    def _shuffled(self, number: int, stage: Stage) -> Tensor:
        if self._order[0] != number:
            count = len(self.tiles(stage.patch)) * self._twins
            self._order = (number, torch.randperm(count, generator=seeded(self.config.seed, "order", number)))
        return self._order[1]


def _with_noise(images: Iterable[Picture], seed: int) -> Iterator[Picture]:
    """The images with the noise that each of them keeps, one at a time."""
    for index, image in enumerate(images):
        yield Picture(image.name, dequantize(image, seeded(seed, "noise", index)).numpy(), None)
