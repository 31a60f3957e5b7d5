"""The patches of each gradient step, as a function of the seed and the step alone, so that a run can be resumed."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ride.data import CropSampler, Picture, Tiles, dequantize, seeded
from ride.training.config import FitConfig, Stage
