"""The entropy coder: asymmetric numeral systems, used as a stack of equally probable choices.

The stack is one large number x, of which the lower part lies in words of 32 bits. To push one of `size` equally
probable values divides the range of 2^32 in as many intervals, as equal as can be, and replaces x by
(x div f) 2^32 + low + x mod f for the interval [low, low + f) of the value; to pop is the inverse. Whatever is popped
from any stack and pushed again leaves that stack.

A symbol of probability [low, low + f) / 2^24 is coded by popping an offset of `f` and pushing low + offset of 2^24;
decoding pops that, finds the symbol, and pushes the offset back. So the values of many pixels can be popped before any
of their symbols has to be known, which lets a model find all of them at once. (Duda 2013, arXiv:1311.2540, for the
coder; Townsend, Bird & Barber 2019, arXiv:1901.04866, for the way back.)
"""

from collections.abc import Sequence

from ride.codec.scales import TOTAL_BITS
from ride.errors import CodecError

WORD = 32
MASK = 2**WORD - 1
LEAST = 2**64
"""While there are words, x is at least this, and always less than 2^96."""
STATE_BYTES = 12


class Stack:
    """A stack, empty or as `to_bytes` has left it."""

    def __init__(self) -> None:
        self.state = 0
        self.words: list[int] = []

    @property
    def empty(self) -> bool:
        """Whether everything has been popped."""
        return not self.words and not self.state

    def to_bytes(self) -> bytes:
        """The words, little-endian, the last pushed last, and then x in as few bytes as it needs."""
        body = b"".join(word.to_bytes(4, "little") for word in self.words)
        return body + self.state.to_bytes((self.state.bit_length() + 7) // 8, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Stack":
        """The inverse of `to_bytes`.

        Raises:
            CodecError: these bytes cannot be from there.
        """
        stack, size = cls(), len(data)
        if size > STATE_BYTES:
            # x takes 9 to 12 bytes, the words 4 each.
            size = STATE_BYTES - (STATE_BYTES - size) % 4
        cut = len(data) - size
        stack.words = [int.from_bytes(data[k : k + 4], "little") for k in range(0, cut, 4)]
        stack.state = int.from_bytes(data[cut:], "little")
        if stack.to_bytes() != data or (cut and stack.state < LEAST):
            raise CodecError("a tile is damaged: its stream does not end as one does")
        return stack

    def pop_points(self, count: int) -> list[int]:
        """Pop so many numbers of TOTAL_BITS bits, equally probable."""
        shift = WORD - TOTAL_BITS
        x, words, points = self.state, self.words, []
        for _ in range(count):
            points.append((x & MASK) >> shift)
            x = ((x >> WORD) << shift) | (x & ((1 << shift) - 1))
            if x < LEAST and words:
                x = (x << WORD) | words.pop()
        self.state = x
        return points

    def push_points(self, points: Sequence[int]) -> None:
        """Push numbers so that `pop_points` returns them."""
        shift = WORD - TOTAL_BITS
        limit = LEAST << shift
        x, words = self.state, self.words
        for point in reversed(points):
            if x >= limit:
                words.append(x & MASK)
                x >>= WORD
            x = ((x >> shift) << WORD) | (point << shift) | (x & ((1 << shift) - 1))
        self.state = x

    def pop_offsets(self, sizes: Sequence[int]) -> list[int]:
        """Pop a number below each of the sizes (1 to 2^TOTAL_BITS)."""
        x, words, offsets = self.state, self.words, []
        for size in sizes:
            place = x & MASK
            offset = ((place + 1) * size - 1) >> WORD
            low = (offset << WORD) // size
            x = (x >> WORD) * (((offset + 1) << WORD) // size - low) + place - low
            if x < LEAST and words:
                x = (x << WORD) | words.pop()
            offsets.append(offset)
        self.state = x
        return offsets

    def push_offsets(self, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        """Push numbers so that `pop_offsets` returns them."""
        x, words = self.state, self.words
        for offset, size in zip(reversed(offsets), reversed(sizes), strict=True):
            low = (offset << WORD) // size
            width = ((offset + 1) << WORD) // size - low
            if x >= width << 64:
                words.append(x & MASK)
                x >>= WORD
            whole, rest = divmod(x, width)
            x = (whole << WORD) | (low + rest)
        self.state = x
