"""The named recipes."""

from ride.training.config import FitConfig, Stage


def paper() -> FitConfig:
    """The recipe of section 3 with the authors' patch sizes and learning rates, one epoch a stage."""
    rates = (1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005)
    return FitConfig(
        stages=tuple(
            Stage(patch=8 + 2 * k, steps=None, rate=rate, head_iterations=500) for k, rate in enumerate(rates)
        ),
        optimizer="sgd",
        clip=None,
        crops="tiles",
        noise="fixed",
        head_pixels=1_000_000,
        stop_when_worse=True,
    )


def default() -> FitConfig:
    """Adam on fresh crops with fresh noise, falling rates and growing patches: 250 million predicted pixels."""
    return FitConfig(
        stages=(
            Stage(patch=12, steps=3000, rate=3e-3),
            Stage(patch=22, steps=5000, rate=3e-3, rate_end=1e-3),
            Stage(patch=32, steps=3000, rate=1e-3, rate_end=1e-5, head_iterations=300),
        ),
        head_patch=64,
    )
