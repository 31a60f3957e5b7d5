"""Images: where they come from, dequantisation, random crops and tiles, dead leaves."""

from ride.data.brodatz import find_plate, open_plate, without_margins
from ride.data.crops import CropSampler
from ride.data.deadleaves import DeadLeaves, Leaves
from ride.data.dequantize import dequantize
from ride.data.halves import WithHalves
from ride.data.lazy import LazyPictures
from ride.data.patches import PatchSet, draw_patches
from ride.data.picture import Picture
from ride.data.pixels import Pixels
from ride.data.regions import Regions, split_regions
from ride.data.seeds import seeded
from ride.data.sources import open_pictures
from ride.data.split import hold_out
from ride.data.tiles import Tiles
from ride.data.vanhateren import open_van_hateren

__all__ = [
    "CropSampler",
    "DeadLeaves",
    "LazyPictures",
    "Leaves",
    "PatchSet",
    "Picture",
    "Pixels",
    "Regions",
    "Tiles",
    "WithHalves",
    "dequantize",
    "draw_patches",
    "find_plate",
    "hold_out",
    "open_pictures",
    "open_plate",
    "open_van_hateren",
    "seeded",
    "split_regions",
    "without_margins",
]
