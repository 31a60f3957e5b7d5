"""Random numbers as a pure function of what they are for."""

import hashlib
import operator
from typing import SupportsIndex

import torch


def seeded(*key: SupportsIndex | str) -> torch.Generator:
    """A generator whose numbers depend on the key alone: seed, purpose, index and so on.

    Raises:
        TypeError: a part of the key is neither a text nor a whole number.
    """
    # Whole numbers of NumPy's are the same as Python's, which they are not in text.
    plain = tuple(part if isinstance(part, str) else operator.index(part) for part in key)
    digest = hashlib.blake2b(repr(plain).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
