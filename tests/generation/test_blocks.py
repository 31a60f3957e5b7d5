"""Blocks cover the hole, and those of one class do not see each other."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ride.generation.blocks import BLOCK, OVERHANG, STRIDE, Blocks, blocks_of, margin_of
from ride.models.neighborhood import Neighborhood


@st.composite
def holes(draw: st.DrawFn) -> tuple[Tensor, Neighborhood]:
    """Holes of any shape in images that have room for their windows."""
    neighborhood = Neighborhood(draw(st.sampled_from([3, 5, 9, 11])))
    edge = margin_of(neighborhood) + OVERHANG
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    hole = torch.rand(rows, columns, generator=generator) < draw(st.sampled_from([0.02, 0.3, 1.0]))
    hole[draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))] = True
    return torch.nn.functional.pad(hole, (edge, edge, edge, edge)), neighborhood


def plan_of(hole: Tensor, neighborhood: Neighborhood) -> Blocks:
    return blocks_of(hole, torch.ones_like(hole), neighborhood)


def in_image(plan: Blocks, masks: Tensor, shape: torch.Size) -> Tensor:
    """Masks [n, s, s] of windows, each in an image [n, H, W] of its own."""
    images = torch.zeros(len(plan), *shape, 1, dtype=masks.dtype)
    for k in range(len(plan)):
        places = plan._places(slice(k, k + 1), 0)[0]
        images[k].view(-1)[places] = masks[k]
    return images.squeeze(-1)


@given(holes())
def test_every_missing_pixel_is_updated_and_no_other(case: tuple[Tensor, Neighborhood]):
    hole, neighborhood = case
    plan = plan_of(hole, neighborhood)
    updated = in_image(plan, plan.updated, hole.shape)
    assert torch.equal(updated.any(0), hole)
    assert updated.any(2).any(1).all()
    assert sum(plan.classes) == len(plan)


@given(holes())
def test_blocks_of_a_class_are_not_in_each_others_windows(case: tuple[Tensor, Neighborhood]):
    hole, neighborhood = case
    plan = plan_of(hole, neighborhood)
    windows = in_image(plan, torch.ones_like(plan.updated), hole.shape)
    inner = torch.zeros_like(plan.updated)
    inner[:, plan.margin : plan.margin + BLOCK, plan.margin : plan.margin + BLOCK] = True
    blocks = in_image(plan, inner, hole.shape)
    start = 0
    for size in plan.classes:
        some = slice(start, start + size)
        seen = torch.einsum("ahw,bhw->ab", windows[some].int(), blocks[some].int())
        assert torch.equal(seen > 0, torch.eye(size, dtype=torch.bool))
        start += size


def test_the_hole_of_the_paper_has_529_blocks_in_16_classes_and_windows_of_19():
    hole = torch.nn.functional.pad(torch.ones(71, 71, dtype=torch.bool), (19, 19, 19, 19))
    plan = plan_of(hole, Neighborhood(5))
    assert (len(plan), len(plan.classes), plan.side, STRIDE) == (529, 16, 19, 3)
    assert plan.counted.shape[1:] == (17, 15)


@given(holes())
def test_windows_are_read_and_blocks_are_written(case: tuple[Tensor, Neighborhood]):
    hole, neighborhood = case
    plan = plan_of(hole, neighborhood)
    images = torch.rand(2, *hole.shape, 1)
    before = images.clone()
    chosen = slice(0, plan.classes[0])
    windows = plan.windows(images, chosen)
    plan.put(images, chosen, windows)
    assert torch.equal(images, before)
    plan.put(images, chosen, windows + 1)
    inner = torch.zeros_like(plan.updated[chosen])
    inner[:, plan.margin : plan.margin + BLOCK, plan.margin : plan.margin + BLOCK] = True
    changed = (images != before).squeeze(-1)
    assert int(changed[0].sum()) == plan.classes[0] * BLOCK**2
    assert torch.equal(changed[0], changed[1])
