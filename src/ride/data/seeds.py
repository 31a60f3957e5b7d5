"""Random numbers as a pure function of what they are for."""

import hashlib

import torch


def seeded(*key: int | str) -> torch.Generator:
    """A generator whose numbers depend on the key alone: seed, purpose, index and so on."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
