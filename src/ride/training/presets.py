"""The named recipes, for a model with so many layers (0: an MCGSM on the neighborhood itself)."""

from dataclasses import replace

from ride.training.config import FitConfig, Stage

REVIVE = 100
"""Steps between two looks for idle components of the MCGSM."""


def default(layers: int) -> FitConfig:
    """SOAP at high, falling rates on fresh crops with fresh noise: 188 million predicted pixels, then L-BFGS.

    The patches grow in small steps while the rate falls. Memory that was trained on small patches runs away for
    hundreds of steps where it meets large ones at a high rate. The last patches are large, so that it does not run
    away on whole images.

    An MCGSM without layers is fitted by Adam and gets 150 million predicted pixels with a neighborhood 9 wide
    (380 million with one 5 wide), in patches so small that they are nearly independent, and no L-BFGS: on 10^6 pixels
    it gains on the training images only.

    The squares of gradients are forgotten sooner than usual: in short runs that was worth hundredths of a bit per
    pixel. So was SOAP in place of Adam, at the same cost. Components of the MCGSM that fall idle at such rates are
    put to work again.
    """
    if layers:
        return FitConfig(
            stages=(
                Stage(patch=22, steps=2500, rate=3e-2, rate_end=1.2e-2),
                Stage(patch=32, steps=1200, rate=1.2e-2, rate_end=6e-3),
                Stage(patch=32, steps=900, rate=6e-3, rate_end=2.5e-3),
                Stage(patch=48, steps=700, batch=20, rate=2.5e-3, rate_end=1e-3),
                Stage(patch=64, steps=600, batch=12, rate=1e-3, rate_end=1e-4, head_iterations=150),
            ),
            optimizer="soap",
            betas=(0.9, 0.95),
            revive=REVIVE,
        )
    return FitConfig(
        stages=(Stage(patch=12, steps=12_000, batch=400, rate=3e-2, rate_end=1e-4),),
        betas=(0.9, 0.95),
        revive=REVIVE,
    )


def paper(layers: int) -> FitConfig:
    """The recipe of section 3 with the authors' patch sizes and learning rates, one epoch a stage.

    An MCGSM without layers is fitted by L-BFGS alone, up to 3000 iterations on 10^6 pixels, ended early by 200,000
    others.
    """
    if layers:
        rates = (1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005)
        stages = tuple(
            Stage(patch=8 + 2 * k, steps=None, rate=rate, head_iterations=500) for k, rate in enumerate(rates)
        )
    else:
        stages = (Stage(patch=22, steps=0, rate=0.0, head_iterations=3000),)
    return FitConfig(
        stages=stages,
        optimizer="sgd",
        warmup=0,
        clip=None,
        crops="tiles",
        noise="fixed",
        head_pixels=1_000_000,
        head_valid_pixels=100_000 if layers else 200_000,
        stop_when_worse=True,
    )


def again(layers: int) -> FitConfig:
    """Going on with a model that was fitted before by `default`: its rates fall again, from a third as high."""
    before = default(layers)
    if layers:
        falling = ((1e-2, 5e-3), (5e-3, 2.5e-3), (2.5e-3, 1e-3), (1e-3, 1e-4))
        stages = tuple(
            replace(stage, rate=rate, rate_end=end)
            for stage, (rate, end) in zip(before.stages[1:], falling, strict=True)
        )
    else:
        stages = (replace(before.stages[0], steps=8000, rate=1e-2),)
    return replace(before, stages=stages)


def onward(layers: int) -> FitConfig:
    """Going on with a model that was fitted before, on larger patches: what it needs for whole images.

    A batch has so many patches that its rate varies little. With memory units that may grow without end gradients
    overflow on such patches.
    """
    return FitConfig(
        stages=(
            Stage(patch=64, steps=150, batch=12, rate=1e-3),
            Stage(patch=128, steps=300, batch=6, rate=1e-3, rate_end=4e-4),
            Stage(patch=160, steps=300, batch=5, rate=4e-4, rate_end=1e-5, head_iterations=150 if layers else 0),
        ),
        optimizer="soap" if layers else "adam",
        betas=(0.9, 0.95),
        valid_tile=320,
    )


def texture(layers: int) -> FitConfig:
    """For a single texture of some 384,000 pixels: patches that grow from 20 to 40 pixels, as in section 3.4.

    No patch is mirrored: a mirrored texture is another texture.
    """
    if layers:
        return FitConfig(
            stages=(
                Stage(patch=20, steps=200, rate=3e-2, rate_end=1.2e-2),
                Stage(patch=26, steps=120, rate=1.2e-2, rate_end=6e-3),
                Stage(patch=32, steps=120, batch=32, rate=6e-3, rate_end=2.5e-3),
                Stage(patch=40, steps=120, batch=20, rate=2.5e-3, rate_end=1e-4),
            ),
            optimizer="soap",
            betas=(0.9, 0.95),
            mirror=False,
            whitening_pixels=200_000,
        )
    return FitConfig(
        stages=(Stage(patch=12, steps=1200, batch=400, rate=3e-2, rate_end=1e-4),),
        betas=(0.9, 0.95),
        mirror=False,
        whitening_pixels=200_000,
    )
