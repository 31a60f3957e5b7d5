"""The entropy coder is a bijection, and loses nothing that counts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ride.codec.ans import Stack
from ride.errors import CodecError

SIZES = st.lists(st.integers(1, 2**24) | st.integers(1, 40) | st.integers(2**24 - 3, 2**24), max_size=40)


@given(st.lists(st.integers(0, 2**24 - 1), max_size=40), SIZES, st.data())
def test_what_is_pushed_is_popped(points, sizes, data):
    offsets = [data.draw(st.integers(0, size - 1)) for size in sizes]
    stack = Stack()
    stack.push_points(points)
    before = stack.to_bytes()
    stack.push_offsets(offsets, sizes)
    stack = Stack.from_bytes(stack.to_bytes())
    assert stack.pop_offsets(sizes) == offsets
    assert stack.to_bytes() == before
    assert stack.pop_points(len(points)) == points
    assert stack.empty


@given(st.lists(st.integers(0, 2**24 - 1), max_size=20), SIZES, st.integers(0, 40))
def test_what_is_popped_from_any_stack_can_be_pushed_back(points, sizes, count):
    stack = Stack()
    stack.push_points(points)
    before = stack.to_bytes()
    offsets = stack.pop_offsets(sizes)
    popped = stack.pop_points(count)
    stack.push_points(popped)
    stack.push_offsets(offsets, sizes)
    assert stack.to_bytes() == before


def test_symbols_cost_their_information():
    widths = [(k * 7919 * 7919) % (2**24 - 1) + 1 for k in range(1, 3000)]
    begins = [(k * 104729) % (2**24 - width + 1) for k, width in enumerate(widths)]
    stack = Stack()
    for begin, width in zip(begins, widths, strict=True):
        (offset,) = stack.pop_offsets([width])
        stack.push_points([begin + offset])
    ideal = sum(24 - math.log2(width) for width in widths)
    assert ideal < 8 * len(stack.to_bytes()) < ideal * 1.002 + 32


@given(st.binary(max_size=60))
def test_any_bytes_are_a_stream_or_refused(data):
    try:
        stack = Stack.from_bytes(data)
    except CodecError:
        return
    assert stack.to_bytes() == data


@pytest.mark.parametrize("data", [b"\0", b"\1\0", bytes(13), b"\1" * 12 + b"\0"])
def test_a_stream_has_one_form(data):
    with pytest.raises(CodecError, match="does not end"):
        Stack.from_bytes(data)
