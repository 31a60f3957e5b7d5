"""The causal neighborhood: which earlier pixels a pixel is predicted from (section 2.1, figure 1B)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ride.errors import ConfigError, DataError

# One channel may go without a channel axis.
Images = Float[Tensor, "B H W"] | Float[Tensor, "B H W C"]


@dataclass(frozen=True)
class Neighborhood:
    """The pixels above a pixel, `radius` rows of full `width`, and those left of it: (width² - 1) / 2 in all.

    `width` is odd; width 5 has 12 pixels, width 1 has none. No padding: the top `radius` rows and `radius`
    columns on either side of an image are context and never predicted.

    Of `given` other planes of the same image, which are known as a whole, the same rows are read, but not only up to
    the pixel: `radius` + 1 rows of full `width`.
    """

    width: int = 5
    given: int = 0

    def __post_init__(self) -> None:
        """Raise `ConfigError` unless `width` is odd and positive, and `given` not negative."""
        if self.width < 1 or self.width % 2 == 0:
            raise ConfigError(f"the width of a neighborhood must be odd and at least 1, not {self.width}")
        if self.given < 0:
            raise ConfigError(f"planes that are given must be at least 0, not {self.given}")

    @property
    def radius(self) -> int:
        """Rows of context above a predicted pixel, and columns on either side."""
        return self.width // 2

    @property
    def size(self) -> int:
        """Pixels in the neighborhood, those of given planes included."""
        return (self.width**2 - 1) // 2 + self.given * (self.radius + 1) * self.width

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of each neighbor relative to its pixel, row by row: the pixel just left is last."""
        r = self.radius
        above = [(di, dj) for di in range(-r, 0) for dj in range(-r, r + 1)]
        left = [(0, dj) for dj in range(-r, 0)]
        return tuple(above + left)

    @property
    def given_offsets(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of what is read of each given plane, row by row."""
        r = self.radius
        return tuple((di, dj) for di in range(-r, 1) for dj in range(-r, r + 1))

    @property
    def smallest(self) -> tuple[int, int]:
        """Rows and columns of the smallest image that has a predicted pixel."""
        return self.radius + 1, self.width

    def predicted_shape(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the predicted pixels of an image.

        Raises `DataError` if the image is smaller than the neighborhood.
        """
        rows, columns = height - self.radius, width - 2 * self.radius
        if rows < 1 or columns < 1:
            raise DataError(
                f"an image of {height} x {width} pixels is smaller than the neighborhood"
                f" of {self.smallest[0]} x {self.smallest[1]}"
            )
        return rows, columns

    def extract(self, images: Images) -> tuple[Float[Tensor, "B h w D"], Float[Tensor, "B h w M"]]:
        """Return the inputs and outputs of every predicted pixel: its neighbors and itself.

        Inputs are channel-major (every neighbor's channel 0, then channel 1, ...) in the order of `offsets`,
        D = M * size. The last `given` channels are the given planes; what is read of them follows, plane after plane.
        Outputs are a view. Raises `DataError` if the image is smaller than the neighborhood.
        """
        if images.ndim == 3:
            images = images.unsqueeze(-1)
        channels = images.shape[3] - self.given
        own, given = images[..., :channels], images[..., channels:]
        inputs = self._shifted(own, self.offsets)
        if self.given:
            inputs = torch.cat([inputs, self._shifted(given, self.given_offsets)], dim=-1)
        rows, columns = self.predicted_shape(*images.shape[1:3])
        return inputs, own[:, self.radius : self.radius + rows, self.radius : self.radius + columns]

    def _shifted(self, images: Tensor, offsets: tuple[tuple[int, int], ...]) -> Tensor:
        """For every predicted pixel what lies at these offsets from it, channel-major."""
        batch, height, width, channels = images.shape
        rows, columns = self.predicted_shape(height, width)
        r = self.radius

        def shifted(di: int, dj: int) -> Tensor:
            return images[:, r + di : r + di + rows, r + dj : r + dj + columns]

        if images.requires_grad:
            # Writing into slices would record one copy of the whole buffer per neighbor.
            views = [shifted(di, dj) for di, dj in offsets]
            empty = images.new_empty(batch, rows, columns, channels, 0)
            inputs = torch.stack(views, dim=-1) if views else empty
        else:
            inputs = images.new_empty(batch, rows, columns, channels, len(offsets))
            for n, (di, dj) in enumerate(offsets):
                inputs[..., n] = shifted(di, dj)
        return inputs.flatten(start_dim=3)
