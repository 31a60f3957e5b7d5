"""How much the page takes on, so that no upload and no job holds it up for ever."""

from dataclasses import dataclass

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Limits:
    """Bounds of one page.

    Args:
        side: largest height and width in pixels; of a larger image the middle is taken.
        least: smallest height and width of an image.
        upload_bytes: largest file.
        kept_bytes: of all files that were uploaded within the last hour, beyond which there are no more.
        upload_pixels: pixels of the largest image that is opened at all.
        hole: missing pixels times chains.
        sweeps: of an inpainting.
        chains: of an inpainting.
        minutes: of one inpainting, drawing or scoring.
        training_minutes: of one training.
        at_once: jobs that compute at the same time, besides one training.
        waiting: jobs that may wait for their turn.
    """

    side: int = 512
    least: int = 16
    upload_bytes: int = 20 * 2**20
    kept_bytes: int = 500 * 2**20
    upload_pixels: int = 25_000_000
    hole: int = 10_000
    sweeps: int = 200
    chains: int = 4
    minutes: float = 10.0
    training_minutes: float = 30.0
    at_once: int = 2
    waiting: int = 8

    @property
    def uploads(self) -> str:
        """The sentence on uploads."""
        return (
            f"Uploads: 8 bits, no transparency, up to {self.upload_bytes / 2**20:g} MB and"
            f" {self.upload_pixels / 1e6:g} million pixels; colour becomes gray, and of an image larger than"
            f" {self.side} x {self.side} the middle is taken."
        )
