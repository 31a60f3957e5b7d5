"""How many components of the MCGSM of a model are at work.

    python benchmarks/components.py MODEL IMAGES [--count 20]

A component is idle that explains less than a tenth of its equal share of the pixels of some images, in tiles of
64 x 64: the mean of p(c | x, y) over them. What is printed beside is the number of equally busy components of the same
entropy.
"""

import argparse

import torch

from ride.data import Tiles, open_pictures
from ride.models.files import load
from ride.training.features import states_of
from ride.training.revival import LEAST, usage
from ride.training.scoring import held_out_tiles

TILE = 64


@torch.no_grad()
def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", help="of gray images: a file, a run directory or a bundled model")
    parser.add_argument("images", help="a folder and the like, or deadleaves")
    parser.add_argument("--count", type=int, default=20, help="images to look at, from the first on")
    options = parser.parse_args()
    model = load(options.model)
    shares, pixels = torch.zeros(model.head.components, dtype=torch.float64), 0
    tiles = Tiles(open_pictures(options.images, limit=options.count, part="test"), TILE)
    for batch in held_out_tiles(tiles, 0):
        x, y = states_of(model, [batch])
        shares, pixels = shares + len(x) * usage(model.head, x, y), pixels + len(x)
    shares /= pixels
    at_work = int((shares >= LEAST / len(shares)).sum())
    like = float(torch.special.entr(shares).sum().exp())
    print(f"{at_work} of {len(shares)} components are at work, like {like:.1f} equally busy ones ({pixels:,} pixels)")


if __name__ == "__main__":
    main()
