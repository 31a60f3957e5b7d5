"""Integer models: a RIDE whose arithmetic has one answer on every machine.

Every number is an integer times a fixed power of two, held in float64. Sums and products of such numbers are exact
there while they stay below 2^53 units, whatever the order of the terms, the number of threads or the instructions of
the processor: `IntegerModel` proves that bound for every product of matrices when it is made. What is left to do is
exact too: scaling by powers of two, `floor`, `clip` and looking up tables, which are integers of the model file.
"""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ride.codec import scales
from ride.errors import ModelError
from ride.models.neighborhood import Neighborhood

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Unbounded = NDArray[np.object_]
"""Python's integers."""
MATRICES = ("weight", "energy")
"""All other numbers of a model stand in rows."""


@dataclass(frozen=True)
class Tables:
    """Functions as tables of integers.

    Args:
        sigmoid: sigmoid(z) in units of 2^-16, 2^9 places for each unit of z, z = 0 in the middle.
        exp: exp(-z) in units of 2^-16, 2^8 places for each unit of z from z = 0 on; the last is 0.
        normal: the distribution function of the standard normal in units of 2^-24, 2^10 places for each standard
            deviation, 0 in the middle.
    """

    sigmoid: Integers
    exp: Integers
    normal: Integers


@dataclass(frozen=True)
class IntegerLayer:
    """A spatial LSTM: `weight` [5N, K] in units of 2^-16 and `bias` [5N] in units of 2^-31.

    Rows are in the order g, o, i, f_c, f_r, those of g doubled, for tanh(z) = 2 sigmoid(2 z) - 1. Columns are in the
    order inputs, h_left, h_up.
    """

    weight: Integers
    bias: Integers


@dataclass(frozen=True)
class IntegerHead:
    """A factorised MCGSM of one channel.

    Args:
        weight: rows of the F features, then of the C means, [F + C, D + N]; columns are the neighborhood, then h; in
            units of 2^-16. A mean is in levels.
        bias: [F + C] in units of 2^-31.
        energy: [C S, F]: row r is multiplied by the squares of the features and in units of 2^-(energy_bits[r]).
        energy_bits: [C S].
        eta: [C S] in units of 2^-(energy_bits[r] + 32).
        inverse: reciprocals of the standard deviations [C S] in units of 2^-18 of 1 / level.
    """

    weight: Integers
    bias: Integers
    energy: Integers
    energy_bits: Integers
    eta: Integers
    inverse: Integers


@dataclass(frozen=True)
class IntegerModel:
    """A RIDE in integers. Makes no use of random numbers or functions of the mathematics library.

    Args:
        neighborhood: the causal neighborhood.
        layers: the spatial LSTMs from the lowest to the highest, at least one.
        head: the MCGSM.
        tables: the functions.
        largest_memory: where memory units end, in units of 2^-15.
        colours: for images in colour, models of the second plane given the first, which is this model's, and of the
            third given both; None where each is coded like a gray image.

    Raises:
        ModelError: the parts do not fit each other, or a sum might pass 2^53 and thus depend on its order.
    """

    neighborhood: Neighborhood
    layers: tuple[IntegerLayer, ...]
    head: IntegerHead
    tables: Tables
    largest_memory: int = scales.LARGEST_MEMORY
    colours: "tuple[IntegerModel, IntegerModel] | None" = None

    def __post_init__(self) -> None:
        self._check_dimensions()
        self._check_colours()
        self._check_shapes()
        self._check_tables()
        self._check_bounds()

    @property
    def hidden(self) -> int:
        """Hidden units of each spatial LSTM."""
        return len(self.layers[0].bias) // 5

    @property
    def components(self) -> int:
        """Components of the mixture."""
        return len(self.head.bias) - self.features

    @property
    def features(self) -> int:
        """Quadratic features of the mixture."""
        return self.head.energy.shape[1]

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of all numbers, those of models of colours aside: it names the model in a stream."""
        bound = "" if self.largest_memory == scales.LARGEST_MEMORY else f" {self.largest_memory}"
        given = f" given {self.neighborhood.given}" if self.neighborhood.given else ""
        summary = hashlib.sha256(f"{self.neighborhood.width} {len(self.layers)}{bound}{given}".encode())
        for name, values in self.arrays().items():
            summary.update(f" {name} {list(values.shape)} ".encode() + values.astype("<i8").tobytes())
        return summary.digest()

    def of_planes(self, count: int) -> "tuple[IntegerModel, ...]":
        """The models of the planes of an image: of three in colour each is given those before it."""
        return (self, *self.colours) if self.colours and count == 3 else (self,) * count

    def name(self, planes: int) -> bytes:
        """What a file of an image with so many planes calls the models that it needs, 8 bytes."""
        models = dict.fromkeys(model.digest for model in self.of_planes(planes))
        return (next(iter(models)) if len(models) == 1 else hashlib.sha256(b"".join(models)).digest())[:8]

    def arrays(self) -> dict[str, Integers]:
        """All numbers by name, in a fixed order."""
        layers = {
            f"layers.{number}.{name}": getattr(layer, name)
            for number, layer in enumerate(self.layers)
            for name in ("weight", "bias")
        }
        head = {f"head.{part.name}": getattr(self.head, part.name) for part in fields(IntegerHead)}
        tables = {f"tables.{part.name}": getattr(self.tables, part.name) for part in fields(Tables)}
        return {**layers, **head, **tables}

    @cached_property
    def ready(self) -> "Ready":
        """What evaluation multiplies with."""
        return Ready(self)

    def _check_dimensions(self) -> None:
        wrong = [name for name, values in self.arrays().items() if values.ndim != 1 + name.endswith(MATRICES)]
        if wrong:
            raise ModelError(f"the integer model has parts that do not fit each other: {', '.join(wrong)}")

    def _check_shapes(self) -> None:
        head, n, d = self.head, self.hidden if self.layers else 0, self.neighborhood.size
        experts = len(head.eta)
        wanted: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
            "head.weight": (head.weight.shape, (len(head.bias), d + n))
        }
        for number, layer in enumerate(self.layers):
            inputs = n if number else d
            wanted[f"layers.{number}.weight"] = (layer.weight.shape, (5 * n, inputs + 2 * n))
            wanted[f"layers.{number}.bias"] = (layer.bias.shape, (5 * n,))
        for name in ("energy_bits", "eta", "inverse"):
            wanted[f"head.{name}"] = (getattr(head, name).shape, (experts,))
        wanted["head.energy"] = (head.energy.shape, (experts, self.features))
        wrong = [name for name, (found, expected) in wanted.items() if tuple(found) != tuple(expected)]
        if wrong or not n or self.components < 1 or experts < 1 or experts % self.components:
            raise ModelError(f"the integer model has parts that do not fit each other: {', '.join(wrong) or 'head'}")

    def _check_colours(self) -> None:
        for given, model in enumerate(self.colours or (), start=1):
            if self.neighborhood.given or model.colours or model.neighborhood.given != given:
                raise ModelError(
                    "an integer model has two models of colours: one of a plane given 1, and one of a plane given 2"
                )
            pairs = [(getattr(model.tables, part.name), getattr(self.tables, part.name)) for part in fields(Tables)]
            if not all(np.array_equal(*pair) for pair in pairs):
                raise ModelError("an integer model and its models of colours share their tables")

    def _check_tables(self) -> None:
        for name, table, top in (
            ("sigmoid", self.tables.sigmoid, 2**scales.GATE_BITS),
            ("exp", -self.tables.exp, 0),
            ("normal", self.tables.normal, 2**scales.TOTAL_BITS),
        ):
            low = -(2**scales.GATE_BITS) if name == "exp" else 0
            if not 2 <= len(table) <= 2**17 or (np.diff(table) < 0).any() or table[0] < low or table[-1] > top:
                raise ModelError(f"the integer model has a table of {name} that is not monotone or not in its range")
        if self.tables.exp[0] < 1:
            raise ModelError("the integer model has a table of exp that begins with 0")

    def _check_bounds(self) -> None:
        """Prove that every sum of products is exact, whatever the pixels are."""
        if not 0 < self.largest_memory <= scales.LARGEST_MEMORY:
            raise ModelError("the integer model has memory units that end out of the range of exact arithmetic")
        n, d = self.hidden, self.neighborhood.size
        pixels, states = 2 ** (scales.STATE_BITS - 1), 2**scales.STATE_BITS
        for number, layer in enumerate(self.layers):
            first = n if number else d
            largest = np.full(first + 2 * n, states)
            largest[:first] = states if number else pixels
            prove(f"layers.{number}", sums(layer.weight, largest, layer.bias) + 2**40)
        head = self.head
        largest = np.full(d + n, states)
        largest[:d] = pixels
        reach = sums(head.weight, largest, head.bias)
        prove("head", reach + 2**40)
        if (np.abs(head.energy_bits) > 20).any() or (head.inverse < 1).any():
            raise ModelError("the integer model has scales of its mixture that make no sense")
        # Rounding adds a half at most.
        squares = ((reach[: self.features] >> (scales.STATE_BITS + scales.HEAD_BITS - scales.FEATURE_BITS)) + 1) ** 2
        half = 2 ** (head.energy_bits + 2 * scales.FEATURE_BITS - scales.LOGIT_BITS - 1)
        prove("head.energy", sums(head.energy, squares, head.eta) + half)
        # Means minus edges, times the reciprocal.
        mean = int(max(reach[self.features :])) >> (scales.STATE_BITS + scales.HEAD_BITS - scales.LEVEL_BITS)
        edge = 256 << scales.LEVEL_BITS
        if (mean + edge + 1) * int(head.inverse.max()) >= scales.EXACT // 2:
            raise ModelError("the integer model has means or standard deviations out of the range of exact arithmetic")
        weights = len(head.eta) << (scales.GATE_WEIGHT_BITS + scales.TOTAL_BITS)
        if weights >= scales.EXACT:
            raise ModelError(f"the integer model has {len(head.eta)} experts, more than exact arithmetic allows")


def sums(weight: Integers, largest: Integers | Unbounded, bias: Integers) -> Unbounded:
    """|weight| [R, K] times `largest` [K] plus |bias| [R], in Python's integers, for the proof must not overflow.

    That is the largest size that any partial sum can have, whatever the order of its terms.
    """
    worst: Unbounded = abs(weight.astype(object)) @ largest.astype(object) + abs(bias.astype(object))
    return worst


def prove(name: str, worst: Unbounded) -> None:
    """Raise `ModelError` unless these sizes of sums stay below 2^53."""
    if len(worst) and max(worst) >= scales.EXACT:
        raise ModelError(
            f"the integer model cannot be evaluated exactly: sums of {name} may reach 2^{int(max(worst)).bit_length()}"
        )


class Ready:
    """An integer model laid out for evaluation: dyadic numbers in float64, scaled to what is looked up."""

    def __init__(self, model: IntegerModel) -> None:
        from_sum = 2.0 ** -(scales.STATE_BITS + scales.WEIGHT_BITS - scales.SIGMOID_BITS)
        self.sigmoid = model.tables.sigmoid.astype(np.float64)
        self.sigmoid_middle = len(model.tables.sigmoid) // 2
        # Rounding to the nearest place is adding a half and cutting off what is behind the point.
        self.layers: list[tuple[Array, Array]] = [
            (_dyadic(layer.weight.T, from_sum), _dyadic(layer.bias, from_sum) + 0.5 + self.sigmoid_middle)
            for layer in model.layers
        ]
        head, features = model.head, model.features
        scale = np.full((len(head.bias), 1), 2.0 ** -(scales.STATE_BITS + scales.HEAD_BITS - scales.FEATURE_BITS))
        scale[features:] = 2.0 ** -(scales.STATE_BITS + scales.HEAD_BITS - scales.LEVEL_BITS)
        self.head_weight = np.ascontiguousarray((head.weight * scale).T)
        self.head_bias = head.bias * scale[:, 0] + 0.5
        unit = 2.0 ** (scales.LOGIT_BITS - head.energy_bits - 2 * scales.FEATURE_BITS)
        self.energy = np.ascontiguousarray((head.energy * -unit[:, None]).T)
        self.eta = head.eta * unit + 0.5
        self.exp = model.tables.exp.astype(np.float64)
        self.inverse = head.inverse * 2.0 ** -(scales.LEVEL_BITS + scales.INVERSE_BITS - scales.NORMAL_BITS)
        self.normal = model.tables.normal.astype(np.float64)
        self.normal_middle = len(model.tables.normal) // 2


def _dyadic(integers: Integers, scale: float) -> Array:
    """Integers below 2^53 times a power of two, exact."""
    return np.ascontiguousarray(integers.astype(np.float64) * scale)
