"""The page as a person sees it: the mouse, what appears, and what the server does meanwhile."""

import base64
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.app.conftest import SECONDS, App, Visitor

import ride
from ride.app.examples import LEAVES, example
from ride.app.server import HOST

DRAW = "#inpaint-figures img[alt='a draw']"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A piece of an image, small enough to be filled at once."""
    path = tmp_path_factory.mktemp("images") / "small.png"
    Image.fromarray(example(LEAVES).pixels[:48, :48]).save(path)
    return path


def idle(app: App) -> bool:
    """Whether the page needs next to nothing of the processor."""
    before = app.worked()
    time.sleep(0.5)
    return app.worked() - before < 0.05


def pixels(source: str) -> np.ndarray:
    """The image of a `data:` address."""
    return np.asarray(Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))))


def test_a_painted_hole_is_filled(visitor: Visitor, small: Path):
    visitor.upload(small)
    visitor.until(lambda: visitor.drawn_size() == (48, 48), "the uploaded image")
    visitor.drag((0.4, 0.4), (0.6, 0.5))
    visitor.enter("sweeps", 3)
    visitor.press("#fill")
    visitor.await_text("#inpaint-line", "Done")
    assert "Sweep 3 of 3" in visitor.text("#inpaint-figures")
    assert "of proposals accepted" in visitor.text("#inpaint-figures")
    titles = [e.text for e in visitor.driver.find_elements("css selector", "#inpaint-figures figcaption b")]
    assert titles == ["given", "a draw", "posterior mean", "uncertainty"]
    # All of the image is shown, for it is small. What was known is there, what was painted over is not.
    drawn, original = pixels(visitor.find(DRAW).get_attribute("src")), np.asarray(Image.open(small))
    missing = int(visitor.text("#painter output").split()[0])
    assert 20 < missing < 400
    assert 0 < (drawn != original).sum() <= missing
    assert (drawn != original)[12:36, 12:36].sum() == (drawn != original).sum()
    assert visitor.requested() == {"127.0.0.1"}


def test_the_same_image_given_again_has_no_hole(visitor: Visitor, small: Path, tmp_path: Path):
    visitor.upload(small)
    visitor.until(lambda: visitor.drawn_size() == (48, 48), "the uploaded image")
    visitor.drag((0.4, 0.4), (0.6, 0.5))
    again = tmp_path / "again.png"
    again.write_bytes(small.read_bytes())
    visitor.upload(again)
    visitor.until(lambda: visitor.text("#painter output") == "no hole yet", "an image without a hole")


def begin(visitor: Visitor, app: App) -> float:
    """Start a long job; returns the seconds of the processor that a sweep takes, somewhat more rather than less."""
    visitor.drag((0.3, 0.3), (0.35, 0.3))
    visitor.enter("sweeps", 200)
    before = app.worked()
    visitor.press("#fill")
    visitor.await_text("#inpaint-figures", "Sweep 5 of 200")
    return (app.worked() - before) / 5


def ends(app: App, sweep: float) -> None:
    """Wait until the server is idle, long before the work can be done."""
    before, end = app.worked(), time.monotonic() + SECONDS
    while not idle(app):
        assert time.monotonic() < end, "the server goes on"
    assert app.worked() - before < 60 * sweep, "it had done nearly all"


def test_a_job_can_be_stopped(visitor: Visitor, app: App):
    sweep = begin(visitor, app)
    visitor.press("#stop-fill")
    visitor.until(lambda: visitor.text("#inpaint-line") == "Stopped.", "the end")
    ends(app, sweep)
    # What there was stays.
    assert visitor.find(DRAW)


def test_who_leaves_computes_no_more(visitor: Visitor, app: App):
    sweep = begin(visitor, app)
    visitor.driver.get("about:blank")
    ends(app, sweep)


def test_what_cannot_be_done_is_a_sentence(visitor: Visitor, tmp_path: Path):
    bad = tmp_path / "text.png"
    bad.write_text("this is no image\n" * 9)
    visitor.upload(bad)
    said = "Text.png is not an image, whatever its name says, or it is damaged."
    visitor.await_text("#inpaint-line", said)
    # The image before is still there, without a hole.
    visitor.press("#fill")
    visitor.await_text("#inpaint-line", "There is no hole yet")
    visitor.tab("Texture")
    visitor.press("#draw")
    visitor.await_text("#texture-line", "No texture has been learned here yet")
    assert "Traceback" not in visitor.text("body")


def test_two_visitors_get_their_own(visitor: Visitor, browsers: Callable[..., Visitor], app: App, small: Path):
    other = browsers(app.address, width=390, height=844)
    pictures = {visitor: ride.open_pictures(small)[0], other: example(LEAVES)}
    for one in pictures:
        one.tab("Likelihood")
    visitor.upload(small)
    other.choose("example", LEAVES)
    for one, picture in pictures.items():
        one.await_size("#likelihood-chosen img", *picture.pixels.shape)
    for one in pictures:
        one.press("#score")
    model = ride.load("bsds300")
    for one, picture in pictures.items():
        one.await_text("#likelihood-line", "Done")
        rate = ride.evaluate(model, [picture])
        assert f"{rate.bits_per_pixel:.3f} bit/px (more is better)" in one.text("#likelihood-figures")
        assert f"at most {rate.code_length:.3f} bit/px" in one.text("#likelihood-figures")
        assert one.find("#likelihood-figures img[alt='bits per pixel']")
    # Nothing is wider than a phone.
    assert other.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert other.requested() == {"127.0.0.1"}


def test_nobody_is_contacted(visitor: Visitor, app: App, small: Path):
    visitor.upload(small)
    visitor.until(lambda: visitor.drawn_size() == (48, 48), "the uploaded image")
    assert app.contacted() == {HOST}


def test_a_texture_is_learned_and_drawn(visitor: Visitor, tmp_path: Path):
    path = tmp_path / "leaves.png"
    Image.fromarray(example(LEAVES).pixels[:100, :100]).save(path)
    visitor.tab("Texture")
    visitor.upload(path)
    visitor.await_size("#texture-chosen img", 100, 100)
    visitor.choose("training", "a trial (1/50)")
    visitor.press("#train")
    visitor.await_text("#texture-line", "Training")
    visitor.await_text("#texture-line", "on the region held out")
    visitor.await_size("#texture-figures img[alt=sample]", 100, 100)
    visitor.enter("rows", 24)
    visitor.enter("columns", 40)
    visitor.press("#draw")
    visitor.await_size("#texture-figures img[alt=sample]", 24, 40)
