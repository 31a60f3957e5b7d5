"""Figure 3: textures of Brodatz, drawn by an MCGSM, by RIDE and by a classical peer."""

from dataclasses import replace

from ride.experiments.image_rows import millions
from ride.experiments.tables import Cell, Column, Line, Table
from ride.experiments.texture import MCGSM
from ride.experiments.texture_report import show
from ride.experiments.texture_rows import ModelRow, OriginalRow, PeerRow, up_to
from ride.models.ride import RIDEConfig
from ride.training import presets

PLATES = ("D104", "D34", "D110", "D106", "D93", "D12", "D4", "D22", "D52")
"""Of the figure and of the paper's text."""
PERIODIC = "D52"
"""The texture of which it is shown whether optimisation is to blame for lost periods."""
SPATIAL = RIDEConfig(layers=1, hidden=64)
RECIPE = presets.texture(1)
RATE, RIDE_RATE = "mcgsm", "ride"
"""The columns."""


def mcgsm(plate: str) -> ModelRow:
    """The MCGSM of a texture."""
    return ModelRow("MCGSM", f"{plate.lower()}-mcgsm", plate=plate, model=MCGSM, fit=presets.texture(0))


def spatial(plate: str) -> ModelRow:
    """The RIDE of a texture."""
    return ModelRow("RIDE", f"{plate.lower()}-ride", plate=plate, model=SPATIAL, fit=RECIPE)


def line(plate: str) -> Line:
    """Both rates of a texture, and what has none: the original and the peer."""
    small = plate.lower()
    cells = {RATE: Cell(None, mcgsm(plate)), RIDE_RATE: Cell(None, spatial(plate), over=mcgsm(plate))}
    original = OriginalRow("original", f"{small}-original", plate=plate)
    return Line(plate, cells, (original, PeerRow("Portilla & Simoncelli", f"{small}-peer", plate=plate)))


def variant(plate: str, name: str, **changes: object) -> Line:
    """A texture by another fit or model, against the same MCGSM."""
    usual = spatial(plate)
    key = f"{usual.key}-{name.replace(' ', '-')}"
    row = replace(usual, name=f"RIDE, {name}", key=key, **changes)  # type: ignore[arg-type]
    return Line(f"{plate}, {name}", {RIDE_RATE: Cell(None, row, over=mcgsm(plate))})


VARIANTS = (
    variant(PERIODIC, "3 times the steps", fit=RECIPE.scaled(3.0)),
    variant(PERIODIC, "2 layers", model=replace(SPATIAL, layers=2)),
    variant(PERIODIC, "patches of 96", fit=up_to(RECIPE, 96)),
    variant("D12", "a third of the steps", fit=RECIPE.scaled(0.3), lengths=(1.0,)),
)

TABLE = Table(
    "Figure 3: textures of Brodatz",
    "brodatz",
    {
        RATE: Column("MCGSM", "bit/px"),
        RIDE_RATE: Column("RIDE", "bit/px", mcgsm(PLATES[0]).key),
    },
    (*(line(plate) for plate in PLATES), *VARIANTS),
    (
        "**Images.** Plates of Brodatz's album as published by Randen, 640 x 640 pixels; D12, which is not among "
        "them, is the scan of 512 x 512 pixels of the USC-SIPI database. Black rows and columns at the edges of a "
        "scan, of which D12's has two, are cut off. The paper prints no figures, only pictures.",
        "**Split.** 4 x 4 regions, of which the seed chooses one to test on; the models see the other fifteen. No "
        "patch crosses into the test region, and no decision is taken by it: the last model of a fit is the one "
        "that counts. D12 has so few pixels that one of the training regions, held out from two first fits, chooses "
        "between the usual length and three tenths of it, for RIDE and for the MCGSM; the model is then fitted to all "
        "fifteen.",
        "**RIDE.** 1 layer of 64 hidden units, patches of 20, 26, 32 and 40 pixels by SOAP at a falling rate: "
        f"{millions(RECIPE, SPATIAL)}, where six epochs, the most that the paper has, are 1.7 million counted so, "
        "3.3 million with mirror images. No mirrored "
        "patches: a mirrored texture is another texture.",
        "**MCGSM.** 32 components, 4 scales, 48 quadratic features, a neighborhood 9 wide and 5 high, by Adam: "
        f"{millions(presets.texture(0), MCGSM)}. It sees fifteen regions; the paper's was learned from the full "
        "texture and is another one, that of Gerhard, Theis and Bethge.",
        "**Few pixels.** More steps and more layers raise the rate of the training regions and lower that of the "
        "region that was not seen, as the lines about D52 show: a texture of 640 x 640 pixels, or of "
        "512 x 512 as D12, has too few pixels for longer fits. That the "
        "length of D12's is chosen is owed to a fit of the usual length, whose rate on the test region was lower than "
        "the MCGSM's; which length it is, the test region has no say in.",
        "**Rates** are of the pixels of the test region that a 9-wide neighborhood predicts, the same for all models, "
        "with the state of RIDE beginning at the border of the region. `±` is the standard error over its 4 x 4 "
        "blocks, which are not quite independent.",
        "**Samples** are drawn without bounds and without a choice among them, from a border of noise that is cut "
        "off, and clipped to the full range afterwards.",
        "**The peer** changes noise until its wavelet statistics are those of the piece of the original that the "
        "figure shows, which is one of the four that it is compared with; the models see parts of all four.",
    ),
    lead="texture",
    parts="blocks of the test region",
    show=show,
)
