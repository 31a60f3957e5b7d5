"""Rates of images whose density is known: the scorer finds them, and no fitted model exceeds them.

The images are drawn here, and their density is computed here, by a plain implementation of equations (3) to (5) that
shares nothing with the package.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from ride.data import Picture
from ride.evaluation import Rate, evaluate, gain
from ride.models.ride import RIDE, RIDEConfig
from ride.training import FitConfig, Stage, fit

Array = NDArray[np.float64]

OFFSETS = [(i, j) for i in (-2, -1) for j in (-2, -1, 0, 1, 2)] + [(0, -2), (0, -1)]
MARGIN = 24
"""Rows and columns after which a field has forgotten that it began with zeros."""
ERRORS = 3.5
"""Standard errors that a mean may be off; seeds are fixed."""


@dataclass(frozen=True)
class Field:
    """A causal random field: pixels given their neighborhood [12] are mixtures of Gaussians, equations (3) to (5)."""

    a: Array  # [C, 12]
    alpha: Array  # [C, S]
    eta: Array  # [C, S]
    b: Array  # [F, 12]
    beta: Array  # [C, F]

    def conditional(self, x: Array) -> tuple[Array, Array, Array]:
        """Log-weights [P, C, S], means [P, C, 1] and deviations [C, S] of pixels given neighborhoods [P, 12]."""
        energy = np.square(x @ self.b.T) @ np.square(self.beta).T
        logits = self.eta - np.exp(self.alpha) / 2 * energy[..., None]
        weights = logits - logsumexp(logits, axis=(-2, -1), keepdims=True)
        return weights, (x @ self.a.T)[..., None], np.exp(-self.alpha / 2)

    def log_prob(self, images: Array) -> Array:
        """Log-density [B, H - 2, W - 4] in nats of the pixels that have a whole neighborhood."""
        _, height, width = images.shape
        views = [images[:, 2 + i : height + i, 2 + j : width - 2 + j] for i, j in OFFSETS]
        weights, means, deviations = self.conditional(np.stack(views, axis=-1))
        z = (images[:, 2:, 2:-2, None, None] - means) / deviations
        return logsumexp(weights - z**2 / 2 - np.log(deviations) - math.log(2 * math.pi) / 2, axis=(-2, -1))

    def draw(self, count: int, height: int, width: int, seed: int) -> Array:
        """Images [count, height, width]."""
        draw = np.random.default_rng(seed)
        rows, columns = height + MARGIN, width + 2 * MARGIN
        images = np.zeros((count, rows + 2, columns + 4))
        for t in range(columns + 3 * (rows - 1)):
            # What a pixel depends on has a smaller column + 3 row.
            i = np.arange(max(0, -((columns - 1 - t) // 3)), min(rows, t // 3 + 1))
            j = t - 3 * i
            x = np.stack([images[:, i + 2 + di, j + 2 + dj] for di, dj in OFFSETS], axis=-1)
            weights, means, deviations = self.conditional(x)
            chance = np.exp(weights).reshape(*x.shape[:2], -1).cumsum(-1)
            chosen = (draw.random(x.shape[:2])[..., None] > chance[..., :-1]).sum(-1)
            component, scale = np.divmod(chosen, self.alpha.shape[1])
            mean = np.take_along_axis(means[..., 0], component[..., None], -1)[..., 0]
            images[:, i + 2, j + 2] = mean + deviations[component, scale] * draw.normal(size=mean.shape)
        return images[:, -height:, 2 + MARGIN : 2 + MARGIN + width]

    def model(self, images: Array, scale: float) -> RIDE:
        """A RIDE without layers with this density, its whitening fitted on images, for pixels 1/2 + scale * image."""
        torch.manual_seed(0)
        config = RIDEConfig(layers=0, components=len(self.a), scales=self.alpha.shape[1], features=len(self.b))
        model = RIDE(config).double()
        model.fit_whitening([torch.from_numpy(0.5 + scale * images)])
        whitening, head = model.whitening, model.head
        # About the mean of the field, as its gate has no linear term.
        whitening.mean_in.fill_(0.5)
        whitening.mean_out.fill_(0.5)
        back = np.linalg.inv(whitening.whiten_in.numpy()) / scale  # from whitened inputs to the field
        onward = whitening.whiten_out.item() * scale  # from the field to whitened pixels
        predicted = whitening.whiten_out.item() * whitening.predictor.numpy()
        values = {
            "a": (onward * self.a @ back - predicted)[:, None],
            "alpha": self.alpha - 2 * math.log(onward),
            "eta": self.eta,
            "b": self.b @ back,
            "beta": self.beta * onward,
        }
        for name, value in values.items():
            getattr(head, name).data.copy_(torch.from_numpy(value))
        return model


def coefficients(**near: float) -> Array:
    """Weights [12] of the named neighbors."""
    places = {"left": 11, "left2": 10, "up": 7, "up_left": 6, "up_right": 8, "up_right2": 9, "up2": 2, "up2_left": 1}
    a = np.zeros(12)
    for name, value in near.items():
        a[places[name]] = value
    return a


SIGMA = 0.7
AR = coefficients(left=0.55, up=0.45, up_left=-0.25, up_right=0.15, up2=0.05, up2_left=-0.05)
"""Of a Gaussian autoregressive field with innovations of standard deviation SIGMA."""


@cache
def gaussian() -> Field:
    """An autoregressive field, written as a mixture of equal experts: whatever the gate does, it does not matter."""
    draw = np.random.default_rng(0)
    return Field(
        a=np.tile(AR, (3, 1)),
        alpha=np.full((3, 2), -2 * math.log(SIGMA)),
        eta=draw.normal(size=(3, 2)),
        b=draw.normal(size=(4, 12)),
        beta=draw.random((3, 4)),
    )


@cache
def mixture() -> Field:
    """Experts for two directions, whose scales and choice depend on what is above and to the left."""
    return Field(
        a=np.stack([coefficients(left=0.8, up=0.3, up_left=-0.25), coefficients(up=0.8, left=0.2, up2=-0.1)]),
        alpha=np.array([[-2.0, 0.0, 3.0], [-1.0, 1.0, 4.0]]),
        eta=np.array([[-1.0, 0.0, 0.5], [-1.0, 0.0, 1.0]]),
        b=np.stack(
            [coefficients(left=1.0, left2=-1.0), coefficients(up=1.0, up_left=-1.0), coefficients(left=1, up=-1)]
        ),
        beta=np.array([[0.2, 0.9, 0.4], [0.9, 0.2, 0.4]]),
    )


FIELDS = {"gaussian": (gaussian, 0.04), "mixture": (mixture, 0.02)}
COUNT, SHAPE = 8, (70, 83)


@cache
def images_of(name: str, seed: int) -> Array:
    field, _ = FIELDS[name]
    return field().draw(COUNT, *SHAPE, seed)


def pictures_of(name: str, seed: int) -> list[Picture]:
    """Continuous pictures; Picture raises where a pixel is out of range, so that none is clipped."""
    values = 0.5 + FIELDS[name][1] * images_of(name, seed)
    return [Picture(f"{name} {k}", image.astype(np.float32), None) for k, image in enumerate(values)]


@cache
def true_model(name: str) -> RIDE:
    field, scale = FIELDS[name]
    return field().model(images_of(name, 0), scale)


def nats(name: str, images: Array) -> Array:
    """The true log-density of each predicted pixel of pictures of images, in the full range."""
    field, scale = FIELDS[name]
    return field().log_prob(images) - math.log(scale)


def agrees(rate: Rate, bits: float, error: float = 0.0) -> bool:
    assert rate.stderr_bits is not None
    return abs(rate.bits_per_pixel - bits) < ERRORS * math.hypot(rate.stderr_bits, error)


KNOWN = -0.5 * math.log2(2 * math.pi * math.e * (SIGMA * FIELDS["gaussian"][1]) ** 2)
"""Rate of the Gaussian field in bit/px: minus the entropy of an innovation, in the full range."""


@pytest.mark.parametrize("settings", [{}, {"tile": 16}], ids=["whole", "tiles"])
def test_the_rate_of_an_autoregressive_field_is_the_entropy_of_its_innovations(settings: dict):
    rate = evaluate(true_model("gaussian"), pictures_of("gaussian", 1), **settings)
    assert rate.pixels == COUNT * (68 * 79 if not settings else 4 * 5 * 14 * 12)
    assert agrees(rate, KNOWN)
    # The error is known too: the log-density of a Gaussian has a variance of 1/2 nat^2.
    assert rate.stderr_bits == pytest.approx(math.sqrt(0.5 / rate.pixels) / math.log(2), rel=0.6)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("tile", [None, 16, 33])
def test_the_rate_is_the_mean_of_the_true_log_density(name: str, tile: int | None):
    images = images_of(name, 1)
    if tile is None:
        cut = images
    else:
        corners = [(i, j) for i in range(0, 70 - tile + 1, tile) for j in range(0, 83 - tile + 1, tile)]
        cut = np.concatenate([images[:, i : i + tile, j : j + tile] for i, j in corners])
    rate = evaluate(true_model(name), pictures_of(name, 1), tile=tile)
    # Pictures are in single precision.
    assert rate.nats_per_pixel == pytest.approx(nats(name, cut).mean(), abs=2e-5)
    # And by other images.
    other = nats(name, images_of(name, 2)).mean((1, 2)) / math.log(2)
    assert agrees(rate, other.mean(), other.std(ddof=1) / math.sqrt(len(other)))


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("tile", [None, 16])
def test_an_ensemble_of_the_truth_loses_the_price_of_choosing_a_member(name: str, tile: int | None):
    images = images_of(name, 1)
    if tile:
        images = images[:, :64, :80].reshape(COUNT, 4, 16, 5, 16).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 16)
    turned = [images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1]]
    turned += [image.transpose(0, 2, 1) for image in turned]
    # Of the two rows more that a member predicts at its bottom, others predict nothing.
    members = np.stack([nats(name, image)[:, :-2].sum((1, 2)) for image in turned])
    wanted = logsumexp(members, axis=0) - math.log(8)
    rate = evaluate(true_model(name), pictures_of(name, 1), tile=tile, ensemble=True)
    pixels = math.prod(side - 4 for side in images.shape[1:])
    assert rate.pixels == len(images) * pixels
    assert rate.nats_per_pixel == pytest.approx(wanted.mean() / pixels, abs=2e-5)
    # Each member is a density of the same pixels: the mixture is behind the true one by no more than its price.
    lost = members[0].mean() / pixels - rate.nats_per_pixel
    assert -0.01 < lost <= math.log(8) / pixels + 1e-4


def test_rounding_to_8_bits_costs_what_the_noise_adds_to_the_innovations():
    """Rounding and dequantisation each add noise with a variance of 1/12 of a squared level to each pixel, so that the
    residuals of the true prediction gain (1 + sum a^2) / 6, here 0.010 bit/px."""
    scale, model = 0.02, gaussian().model(images_of("gaussian", 0), 0.02)
    values = 0.5 + scale * images_of("gaussian", 1)
    rounded = np.floor(256 * values)
    assert rounded.min() >= 0
    assert rounded.max() <= 255
    digital = [Picture(str(k), image.astype(np.uint8), 256) for k, image in enumerate(rounded)]
    exact = [Picture(str(k), image.astype(np.float32), None) for k, image in enumerate(values)]
    lost, error = gain(evaluate(model, exact), evaluate(model, digital))
    added = (1 + np.square(AR).sum()) / 6 / (256 * scale * SIGMA) ** 2
    assert error is not None
    assert error < 0.002
    assert lost == pytest.approx(added / 2 / math.log(2), abs=ERRORS * error)
    known = KNOWN + math.log2(FIELDS["gaussian"][1] / scale)
    assert evaluate(model, digital).code_length == pytest.approx(8 - known + lost, abs=0.02)


def short(head_iterations: int) -> FitConfig:
    return FitConfig(
        stages=(Stage(patch=16, steps=40, rate=3e-2, rate_end=1e-3, head_iterations=head_iterations),),
        batch=20,
        # The fields are not those that their mirror images are.
        mirror=False,
        whitening_pixels=20_000,
        head_pixels=20_000,
        head_valid_pixels=0,
    )


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(("layers", "head_iterations", "behind"), [(0, 60, 0.01), (1, 5, 0.3)])
def test_no_fitted_model_exceeds_the_truth(name: str, layers: int, head_iterations: int, behind: float):
    torch.manual_seed(0)
    model = RIDE(RIDEConfig(layers=layers, hidden=8, components=2, scales=3, features=3))
    fit(model, pictures_of(name, 0), config=short(head_iterations))
    test = pictures_of(name, 1)
    bits, error = gain(evaluate(model, test), evaluate(true_model(name), test))
    assert error is not None
    assert bits < ERRORS * error
    # An MCGSM can be the truth; few hidden units in a short run do not come as near.
    assert bits > -behind
