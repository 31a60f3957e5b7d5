"""The image that a hole is painted on."""

import json
from importlib import resources

import gradio as gr

from ride.app.show import address
from ride.data import Picture

TEMPLATE = """<div class="painter"><canvas width="1" height="1" aria-label="image to paint the hole on"></canvas>
<div class="tools"><label>brush <input type="range" min="2" max="80" value="20" aria-label="size of the brush"></label>
<button type="button">clear</button><output>no image yet</output></div></div>"""


def painter(first: Picture) -> gr.HTML:
    """A canvas with a first picture; its value is JSON with the image and the mask as `data:` addresses of PNGs."""
    return gr.HTML(
        value=to_paint_on(first),
        html_template=TEMPLATE,
        js_on_load=resources.files("ride.app").joinpath("painter.js").read_text(encoding="utf-8"),
        elem_id="painter",
    )


def to_paint_on(picture: Picture) -> str:
    """The value of a painter for a new image without a hole."""
    return json.dumps({"image": address(picture.pixels), "mask": ""})
