"""docs/codec.md pixel by pixel in Python's whole numbers: another program that reads the streams.

Nothing here is shared with the package but the numbers of the model.
"""

from collections.abc import Sequence

from ride.codec.integer import IntegerModel

Pixels = list[list[int]]


class ReferenceStack:
    """The entropy coder as one number without end: words are its lower part."""

    def __init__(self, data: bytes) -> None:
        size = len(data)
        top = size if size <= 12 else 12 - (12 - size) % 4
        self.words = [int.from_bytes(data[k : k + 4], "little") for k in range(0, size - top, 4)]
        self.x = int.from_bytes(data[size - top :], "little")

    def pop(self, size: int) -> int:
        place = self.x % 2**32
        value = max(v for v in near(place * size // 2**32, size) if v * 2**32 // size <= place)
        low, high = value * 2**32 // size, (value + 1) * 2**32 // size
        self.x = self.x // 2**32 * (high - low) + place - low
        if self.x < 2**64 and self.words:
            self.x = self.x * 2**32 + self.words.pop()
        return value

    def push(self, value: int, size: int) -> None:
        low, high = value * 2**32 // size, (value + 1) * 2**32 // size
        if self.x >= (high - low) * 2**64:
            self.words.append(self.x % 2**32)
            self.x //= 2**32
        self.x = self.x // (high - low) * 2**32 + low + self.x % (high - low)


def near(value: int, size: int) -> range:
    return range(max(0, value - 1), min(size, value + 2))


def rounded(value: int, bits: int) -> int:
    """value / 2^bits to the nearest whole number, halves upwards."""
    return (2 * value + 2**bits) // 2 ** (bits + 1) if bits >= 0 else value * 2**-bits


def look_up(table: list[int], place: int) -> int:
    return table[min(max(place, 0), len(table) - 1)]


class Reference:
    """A model as lists."""

    def __init__(self, model: IntegerModel) -> None:
        self.width = model.neighborhood.width
        self.n, self.features = model.hidden, model.features
        self.largest = model.largest_memory
        self.arrays = {name: values.tolist() for name, values in model.arrays().items()}
        self.depth = len(model.layers)

    def sigmoid(self, place: int) -> int:
        table = self.arrays["tables.sigmoid"]
        return look_up(table, place + len(table) // 2)

    def cell(self, layer: int, read: list[int], c_left: list[int], c_up: list[int]) -> tuple[list[int], list[int]]:
        sums = [
            sum(w * x for w, x in zip(row, read, strict=True)) + bias
            for row, bias in zip(
                self.arrays[f"layers.{layer}.weight"], self.arrays[f"layers.{layer}.bias"], strict=True
            )
        ]
        gates = [self.sigmoid(rounded(value, 22)) for value in sums]
        g, o, i, f_c, f_r = (gates[k * self.n : (k + 1) * self.n] for k in range(5))
        hs, cs = [], []
        for k in range(self.n):
            c = rounded((g[k] - 2**15) * i[k] + c_left[k] * f_c[k] + c_up[k] * f_r[k], 16)
            c = min(max(c, -self.largest), self.largest)
            cs.append(c)
            hs.append(self.sigmoid(rounded(c * o[k], 21)) - 2**15)
        return hs, cs

    def mixture(self, x: list[int], h: list[int]) -> "ReferenceMixture":
        linear = [
            sum(w * v for w, v in zip(row, x + h, strict=True)) + bias
            for row, bias in zip(self.arrays["head.weight"], self.arrays["head.bias"], strict=True)
        ]
        squares = [rounded(value, 15) ** 2 for value in linear[: self.features]]
        means = [rounded(value, 23) for value in linear[self.features :]]
        logits = [
            rounded(eta - sum(w * s for w, s in zip(row, squares, strict=True)), bits + 24)
            for row, eta, bits in zip(
                self.arrays["head.energy"], self.arrays["head.eta"], self.arrays["head.energy_bits"], strict=True
            )
        ]
        weights = [look_up(self.arrays["tables.exp"], max(logits) - logit) for logit in logits]
        return ReferenceMixture(self, means, weights)


class ReferenceMixture:
    def __init__(self, model: Reference, means: list[int], weights: list[int]) -> None:
        self.model, self.means, self.weights = model, means, weights

    def begin(self, symbol: int, levels: list[int]) -> int:
        if symbol == 0:
            return 0
        if symbol == len(levels):
            return 2**24
        edge = 128 * (levels[symbol - 1] + levels[symbol] + 1)
        table, inverse = self.model.arrays["tables.normal"], self.model.arrays["head.inverse"]
        scales = len(inverse) // len(self.means)
        below = sum(
            weight * look_up(table, rounded((edge - self.means[k // scales]) * inverse[k], 16) + len(table) // 2)
            for k, weight in enumerate(self.weights)
        )
        return below // sum(self.weights) * (2**24 - len(levels)) // 2**24 + symbol


def decode_tile(
    model: IntegerModel,
    rows: int,
    columns: int,
    above: int,
    levels: list[int],
    data: bytes,
    given: Sequence[Pixels] = (),
) -> Pixels:
    """The pixels of a tile from its stream, and those of the planes that the model is given."""
    reference, stack = Reference(model), ReferenceStack(data)
    r, n = reference.width // 2, reference.n
    pixels = [[-1] * columns for _ in range(rows)]
    zero = [[0] * n for _ in range(reference.depth)]
    state: dict[tuple[int, int], tuple[list[list[int]], list[list[int]]]] = {}

    def level(i: int, j: int) -> int:
        if i < 0 or (i == 0 and not 0 <= j < columns):
            return above
        if not 0 <= j < columns:
            return pixels[i - 1][0 if j < 0 else columns - 1]
        assert pixels[i][j] >= 0
        return pixels[i][j]

    for t in range(columns + (r + 1) * (rows - 1)):
        cells = [(i, t - (r + 1) * i) for i in range(rows) if 0 <= t - (r + 1) * i < columns]
        points = [stack.pop(2**24) for _ in cells]
        found = []
        for (i, j), point in zip(cells, points, strict=True):
            offsets = [(di, dj) for di in range(-r, 0) for dj in range(-r, r + 1)] + [(0, dj) for dj in range(-r, 0)]
            seen = [level(i + di, j + dj) for di, dj in offsets]
            for plane in given:
                lines = [plane[max(i + di, 0)] for di in range(-r, 1)]
                seen += [line[min(max(j + dj, 0), columns - 1)] for line in lines for dj in range(-r, r + 1)]
            x = h = [128 * (value - 128) for value in seen]
            left, up = state.get((i, j - 1), (zero, zero)), state.get((i - 1, j), (zero, zero))
            own: tuple[list[list[int]], list[list[int]]] = ([], [])
            for layer in range(reference.depth):
                h, c = reference.cell(layer, h + left[0][layer] + up[0][layer], left[1][layer], up[1][layer])
                own[0].append(h)
                own[1].append(c)
            state[i, j] = own
            mixture = reference.mixture(x, h)
            symbol = 0
            while mixture.begin(symbol + 1, levels) <= point:
                symbol += 1
            begin = mixture.begin(symbol, levels)
            found.append((point - begin, mixture.begin(symbol + 1, levels) - begin))
            pixels[i][j] = levels[symbol]
        for offset, size in reversed(found):
            stack.push(offset, size)
    assert stack.x == 0
    assert not stack.words
    return pixels
