"""Inpainting: the right posterior, at once or block by block, resumed or not, for holes anywhere."""

import json
import math
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.generation.conftest import lively, picture, scene, square
from torch import Tensor

from ride.errors import ConfigError, DataError
from ride.generation import inpainting
from ride.generation.inpainting import inpaint
from ride.generation.maximum import most_probable
from ride.generation.metropolis import noise_of
from ride.models.ride import RIDE

MASK = square(30, 34, 14, 10, 6, 8)


def filled(model: RIDE | None = None, sweeps: int = 3, **more: Any) -> inpainting.Inpainting:
    return inpaint(model or lively(layers=1), picture(30, 34), MASK, sweeps, **more)


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("layers", [0, 2])
def test_at_once_is_one_block_after_another(layers: int, flips: bool):
    model = lively(layers=layers, neighborhood=3 if layers == 0 else 5)
    together, alone = (filled(model, chains=2, flips=flips, batched=batched) for batched in (True, False))
    assert 0 < together.accepted == alone.accepted
    torch.testing.assert_close(together.draws, alone.draws, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("axes", inpainting.AXES)
def test_a_sweep_in_a_mirror_image_is_one_of_the_mirrored_problem(
    axes: tuple[int, ...], exact: bool, monkeypatch: pytest.MonkeyPatch
):
    def chains(flips: bool, along: tuple[int, ...]) -> inpainting._Chains:
        # So near a border that the image is continued there.
        pixels, hole = scene(24, 27)[0].flip(along), square(24, 27, 3, 15, 1, 7).flip(along)
        return inpainting._Chains(model, pixels, hole, 4, 1, flips, exact, True, (0.0, 1.0), 0)

    def same(images: Tensor, blocks: int, generator: torch.Generator) -> Any:
        return noise_of(images, blocks, torch.Generator().manual_seed(2))

    model, turned = lively(layers=1), [axis + 1 for axis in axes]
    flipping, mirrored = chains(True, ()), chains(False, axes)
    monkeypatch.setattr(inpainting, "AXES", (axes,))
    monkeypatch.setattr(inpainting, "noise_of", same)
    flipping.begin(lambda message: None)
    assert flipping.standing
    mirrored.standing = replace(flipping.standing, images=flipping.standing.images.flip(turned))
    for some in (flipping, mirrored):
        some.sweep(lambda message: None)
    canvas, images = flipping.canvas, flipping.standing.images
    assert flipping.standing.accepted > 0
    assert torch.equal(images[:, ~canvas.hole], canvas.image[~canvas.hole].expand(4, -1, -1))
    torch.testing.assert_close(images, mirrored.standing.images.flip(turned), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("two_threads")
def test_threads_change_nothing_but_the_time():
    torch.set_num_threads(1)
    alone = filled(chains=2)
    torch.set_num_threads(2)
    torch.testing.assert_close(filled(chains=2).draws, alone.draws, rtol=1e-9, atol=1e-9)


def test_known_pixels_keep_their_bits():
    image = picture(30, 34)
    before = image.clone()
    result = inpaint(lively(layers=1), image, MASK, 3, chains=2)
    assert torch.equal(image, before)
    assert result.draws.shape == (2, 30, 34)
    for some in (*result.draws, result.best, result.mean, *result.interval()):
        assert torch.equal(some[~MASK], image[~MASK])
        assert (some[MASK] != image[MASK]).all()
        assert some.min() >= 0
        assert some.max() <= 1
    assert torch.equal(result.std > 0, MASK)


@pytest.mark.parametrize("mark", [math.nan, math.inf, -1.0, 255.0])
@pytest.mark.parametrize("kind", ["tensor", "array"])
def test_what_the_hole_has_changes_nothing(mark: float, kind: str):
    model, image, mask = lively(layers=1), picture(20, 22), square(20, 22, 14, 2, 4, 3)
    marked = image.clone()
    marked[mask] = mark
    given = marked if kind == "tensor" else marked.numpy()
    result = inpaint(model, given, mask, 2)
    assert torch.equal(result.draws, inpaint(model, image, mask, 2).draws)
    assert torch.equal(result.image, image.masked_fill(mask, 0))
    assert torch.equal(most_probable(model, given, mask, 2), most_probable(model, image, mask, 2))
    marked[0, 0] = mark
    with pytest.raises(DataError, match=r"NaN or infinite|\[0, 1\]"):
        inpaint(model, marked, mask, 2)


def test_levels_of_eight_bits_come_back():
    levels = (picture(30, 34).numpy() * 256).astype(np.uint8)
    result = inpaint(lively(layers=1), levels, MASK.numpy().astype(np.uint8) * 255, 2)
    back = np.floor(result.draws[0].numpy() * 256).astype(np.uint8)
    assert np.array_equal(back[~MASK.numpy()], levels[~MASK.numpy()])


@pytest.mark.parametrize(
    "mask",
    [
        square(20, 22, 0, 0, 4, 4),
        square(20, 22, 16, 18, 4, 4),
        square(20, 22, 0, 5, 20, 3),
        square(20, 22, 1, 1, 2, 2) | square(20, 22, 15, 12, 3, 5),
        torch.ones(20, 22, dtype=torch.bool) & (torch.arange(22) > 0),
    ],
    ids=["corner", "last corner", "strip", "two holes", "all but a column"],
)
def test_holes_anywhere(mask: Tensor):
    image = picture(20, 22)
    result = inpaint(lively(layers=1), image, mask, 2)
    assert result.continued
    assert torch.equal(result.draws[0][~mask], image[~mask])
    assert (result.draws[0][mask] != image[mask]).all()


def test_colour():
    image = scene(24, 24, 3)[0]
    mask = square(24, 24, 12, 12, 3, 4)
    result = inpaint(lively(layers=1, channels=3), image, mask, 2)
    assert result.draws.shape == (1, 24, 24, 3)
    assert torch.equal(result.mean[~mask], image[~mask])


def posterior(model: RIDE, image: Tensor, places: list[tuple[int, int]], grid: Tensor) -> tuple[Tensor, Tensor]:
    """Means and deviations of one or two missing pixels, by the rectangle rule on all pairs of values."""
    values = torch.cartesian_prod(*[grid] * len(places)).view(-1, len(places))
    nats = []
    with torch.no_grad():
        for part in values.split(2000):
            images = image.repeat(len(part), 1, 1)
            for k, (i, j) in enumerate(places):
                images[:, i, j] = part[:, k]
            nats.append(model.log_prob(images).sum((1, 2)))
    weights = torch.cat(nats).softmax(0).unsqueeze(1)
    mean = (weights * values).sum(0)
    return mean, ((weights * values.square()).sum(0) - mean.square()).sqrt()


@pytest.mark.parametrize("case", ["at once", "block by block", "whole image"])
def test_the_posterior_of_two_pixels_is_found(case: str):
    # In one block and yet in several: the pixels are updated together and alone.
    model = lively(seed=1, layers=0, neighborhood=3)
    image, places = picture(26, 26, seed=2), [(12, 12), (13, 12)]
    mask = torch.zeros(26, 26, dtype=torch.bool)
    for place in places:
        mask[place] = True
    mean, deviation = posterior(model, image[8:18, 8:18], [(4, 4), (5, 4)], torch.linspace(0, 1, 301).double()[1:-1])
    more: dict[str, Any] = {"block by block": {"batched": False}, "whole image": {"exact": True}}.get(case, {})
    result = inpaint(model, image, mask, 60, chains=100, burn_in=10, **more)
    draws = result.kept
    assert draws.shape == (50, 100, 2)
    # Chains are independent: the error of the mean over them is known without any assumption.
    errors = draws.mean(0).std(0) / math.sqrt(100)
    assert (errors < 0.2 * deviation).all()
    assert ((draws.mean((0, 1)) - mean).abs() < 4 * errors).all()
    squares = (draws - mean).square()
    errors = squares.mean(0).std(0) / math.sqrt(100)
    assert ((squares.mean((0, 1)) - deviation.square()).abs() < 4 * errors).all()


def test_with_memory_the_whole_image_decides():
    model = lively(seed=3, layers=1, neighborhood=3)
    image, mask = picture(24, 24, seed=2), square(24, 24, 13, 12, 1, 1)
    mean, deviation = posterior(model, image, [(13, 12)], torch.linspace(0, 1, 401).double()[1:-1])
    result = inpaint(model, image, mask, 40, chains=100, burn_in=5, exact=True)
    draws = result.kept[..., 0]
    errors = draws.mean(0).std() / 10
    assert errors < 0.2 * deviation
    assert (draws.mean() - mean).abs() < 4 * errors


@pytest.mark.parametrize("flips", [False, True])
def test_chains_go_on_bit_for_bit(flips: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inpainting, "CHECKPOINT_SECONDS", 0.0)
    model, whole = lively(layers=1), filled(sweeps=6, chains=2, flips=flips)

    class Enough(Exception):
        pass

    def stop(done: int, total: int, message: str = "") -> None:
        if done in (1, 4):
            raise Enough

    for _ in range(2):
        with pytest.raises(Enough):
            filled(model, 6, chains=2, flips=flips, directory=tmp_path, progress=stop)
    parts = filled(model, 6, chains=2, flips=flips, directory=tmp_path)
    for name in ("draws", "kept", "log_density"):
        assert torch.equal(getattr(parts, name), getattr(whole, name))
    assert (parts.sweeps, parts.accepted) == (6, whole.accepted)
    # And further, or no further.
    again = filled(model, 6, chains=2, flips=flips, directory=tmp_path)
    assert torch.equal(again.draws, whole.draws)
    longer = filled(model, 9, chains=2, flips=flips, directory=tmp_path)
    assert torch.equal(longer.draws, filled(model, 9, chains=2, flips=flips).draws)
    with pytest.raises(ConfigError, match=r"settings|another"):
        filled(model, 9, chains=3, flips=flips, directory=tmp_path)


@pytest.mark.parametrize(
    ("place", "after", "kept"),
    [
        ("ride.generation.inpainting.update", 0, 0),
        ("ride.generation.inpainting.update", 14, 3),
        # Of the images so far: before the end of the third sweep, and in between the sweep and its line.
        ("ride.generation.inpainting._Chains._log_density", 3, 2),
        ("ride.training.run.Run.log", 2, 3),
        ("ride.training.run.Run.save", 0, 6),
    ],
)
def test_an_interrupt_loses_no_whole_sweep(
    place: str, after: int, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, whole = lively(layers=1), filled(sweeps=6, flips=True)
    with monkeypatch.context() as patched:
        patched.setattr(place, interrupted(after, pkgutil.resolve_name(place)))
        with pytest.raises(KeyboardInterrupt):
            filled(model, 6, flips=True, directory=tmp_path)
    begun: list[int] = []
    parts = filled(model, 6, flips=True, directory=tmp_path, progress=lambda done, *_: begun.append(done))
    assert begun[0] == kept
    assert parts.accepted == whole.accepted
    for name in ("draws", "kept", "log_density"):
        assert torch.equal(getattr(parts, name), getattr(whole, name))
    lines = [json.loads(line)["sweep"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [1, 2, 3, 4, 5, 6]


def interrupted(after: int, work: Callable[..., Any]) -> Callable[..., Any]:
    """Work that is interrupted once, after so many times."""
    left = [None] * after + [KeyboardInterrupt]

    def once(*arguments: Any, **options: Any) -> Any:
        if left and (stop := left.pop(0)):
            raise stop
        return work(*arguments, **options)

    return once


def test_the_first_half_does_not_count_unless_told():
    model, mask = lively(layers=0, neighborhood=3), square(20, 22, 10, 10, 1, 1)
    burn_ins: list[dict[str, int]] = [{}, {"burn_in": 0}, {"burn_in": 5}]
    assert [len(inpaint(model, picture(20, 22), mask, 6, **more).kept) for more in burn_ins] == [3, 6, 1]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inpainting, "KEPT", 4)
    result = filled(lively(layers=0, neighborhood=3), 23, burn_in=8)
    # 8 and 16 are left of 23, for only every eighth is.
    assert len(result.kept) == 1
    assert len(result.log_density) == 23


def test_one_is_told_while_it_goes_on():
    told: list[inpainting.Inpainting] = []
    steps: list[tuple[int, int]] = []

    def listen(done: int, total: int, message: str = "") -> None:
        steps.append((done, total))

    result = filled(sweeps=5, each=told.append, every=2, progress=listen)
    assert [one.sweeps for one in told] == [2, 4, 5]
    assert torch.equal(told[-1].draws, result.draws)
    assert list(dict.fromkeys(steps)) == [(k, 5) for k in range(6)]
    assert "99" not in str(result)
    assert "48 missing pixels, 1 chain, 5 sweeps" in str(result)


def test_without_sweeps_there_is_the_most_probable_of_some_samples():
    model = lively(layers=1)
    one, many = (filled(model, 0, candidates=count) for count in (1, 30))

    def density(result: inpainting.Inpainting) -> float:
        return float(model.log_prob(result.draws).sum().detach())

    assert density(many) > density(one)
    assert many.effective == 0
    assert torch.equal(many.mean, many.draws[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": torch.zeros(30, 34, dtype=torch.bool)}, "the mask of the image 0 is empty"),
        ({"mask": torch.ones(30, 34, dtype=torch.bool)}, "covers all of the image 0"),
        ({"mask": torch.ones(30, 33, dtype=torch.bool)}, "mask of 30 x 33 pixels does not fit the image 0.*30 x 34"),
        ({"image": picture(30, 34) * 255}, r"\[0, 1\]"),
        ({"image": picture(30, 34) * math.nan}, "NaN"),
    ],
)
def test_bad_input_is_told(change: dict[str, Any], message: str):
    given: dict[str, Any] = {"image": picture(30, 34), "mask": MASK, **change}
    with pytest.raises(DataError, match=message):
        inpaint(lively(layers=1), given["image"], given["mask"], 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chains": 0}, "chains must be at least 1"),
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"bounds": (1.0, 0.0)}, "lower bound"),
        ({"sweeps": -1}, "sweeps must be at least 0"),
    ],
)
def test_numbers_that_make_no_sense_are_told(change: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        filled(**change)


def test_a_model_of_other_channels_is_told():
    with pytest.raises(ConfigError, match=r"3 channels.* has 1"):
        filled(lively(layers=1, channels=3))
