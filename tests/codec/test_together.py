"""Many images are coded together, and none knows of the others."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.codec.small import Numbers, small_model, smooth_image

from ride.codec import decode, decode_all, encode, encode_all, parse, together
from ride.codec.container import claimed_bytes
from ride.errors import CodecError, DataError

MODEL = small_model()
IMAGES: list[NDArray[Any]] = [
    smooth_image(20, 37),
    np.full((9, 50), 7, np.uint8),
    np.stack([smooth_image(20, 18, seed) for seed in range(3)], axis=2),
    smooth_image(40, 5).astype(np.uint16) * 91,
    Numbers(3).within(127, 17, 16).astype(np.uint8),
    smooth_image(1, 1),
]
ALONE = [encode(image, MODEL, side=16) for image in IMAGES]


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("pixels", [1, 2 * 16 * 256, 2**19])
@pytest.mark.parametrize("verify", [False, True])
def test_the_bytes_are_those_of_each_alone(monkeypatch, pixels, verify):
    monkeypatch.setattr(together, "TOGETHER", pixels)
    files = list(encode_all(IMAGES, MODEL, side=16, verify=verify))
    assert files == ALONE
    for image, again in zip(IMAGES, decode_all(files, MODEL), strict=True):
        assert again.dtype == image.dtype
        assert np.array_equal(again, image)
    for image, data in zip(IMAGES, files, strict=True):
        assert claimed_bytes(data) == image.shape[0] * image.shape[1] * parse(data, None).planes
        assert np.array_equal(decode(data, MODEL), image)


def test_files_of_several_models_are_decoded_together(monkeypatch):
    one, other = small_model(3), small_model(5)
    monkeypatch.setattr("ride.codec.decoding.bundled_integers", lambda: ["one", "other"])
    monkeypatch.setattr("ride.codec.decoding.load_integer", {"one": one, "other": other}.get)
    images = [smooth_image(20, 20, seed) for seed in range(3)]
    files = [encode(image, model) for image, model in zip(images, (one, other, one), strict=True)]
    assert all(np.array_equal(a, b) for a, b in zip(images, decode_all(files), strict=True))


@pytest.mark.usefixtures("threads")
def test_few_images_are_in_memory_at_once(monkeypatch):
    monkeypatch.setattr(together, "TOGETHER", 16 * 256)
    taken, ahead = 0, []

    def images():
        nonlocal taken
        for seed in range(40):
            taken += 1
            yield smooth_image(16, 16, seed)

    for given_back, _ in enumerate(encode_all(images(), MODEL, verify=True), 1):
        ahead.append(taken - given_back)
    assert (taken, given_back) == (40, 40)
    # A round that is encoded, one that is decoded, and the image that did not fit.
    assert max(ahead) <= 2 * torch.get_num_threads() + 1


@pytest.mark.usefixtures("threads")
def test_what_comes_before_an_error_is_whole():
    bad = [*IMAGES[:3], np.zeros((3, 3)), IMAGES[3]]
    files = []
    with pytest.raises(DataError, match="can be compressed"):
        files.extend(encode_all(bad, MODEL, side=16, verify=True))
    # `extend` keeps what it was given before the error.
    assert files == ALONE[:3]
    broken = ALONE[3][:-1]
    images = []
    with pytest.raises(CodecError, match="truncated"):
        images.extend(decode_all([*ALONE[:3], broken, ALONE[4]], MODEL))
    assert len(images) == 3


@pytest.mark.usefixtures("threads")
def test_progress_goes_up_to_all_of_it(monkeypatch):
    monkeypatch.setattr(together, "TOGETHER", 16 * 256)
    calls: list[tuple[int, int]] = []
    whole = sum(map(claimed_bytes, ALONE))

    def tell(done, total, message=""):
        calls.append((done, total))

    assert len(list(encode_all(IMAGES, MODEL, side=16, verify=True, progress=tell))) == len(IMAGES)
    assert calls == sorted(calls)
    assert calls[-1] == (2 * whole, 2 * whole)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 600)), min_size=1, max_size=30),
    st.integers(1, 4),
    st.sampled_from([1, 2**12, 2**14]),
)
def test_rounds_are_bounded_and_in_order(sizes, count, pixels):
    class Job:
        def __init__(self, size):
            self.size = size

    def cost(jobs):
        return sum(rows * max(columns, together.NARROW) for rows, columns in (job.size for job in jobs))

    groups, jobs = [], [Job(size) for size in sizes]
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "TOGETHER", pixels)
        torch.set_num_threads(count)
        try:
            found = list(together.in_rounds(jobs, lambda own, tell: groups.append(own) or own, None))
        finally:
            torch.set_num_threads(before)
    assert found == [(job, job) for job in jobs]
    for group in groups:
        # The one that does not fit may have gone beyond a thread's own share.
        assert cost(group) <= pixels + 2 * max(cost([job]) for job in group) or len(group) == 1
