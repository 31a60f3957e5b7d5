"""Making an integer model from a trained RIDE."""

import numpy as np
import torch
from torch import Tensor

from ride.codec import scales
from ride.codec.integer import IntegerHead, IntegerLayer, IntegerModel, Integers, Tables
from ride.errors import ConfigError
from ride.models.ride import RIDE

SIGMOID_REACH, EXP_REACH, NORMAL_REACH = 12, 12, 6
"""Arguments at which the tables end; beyond them the functions are 0 or 1 up to one unit."""
ENERGY_BITS = 20
"""At most so many bits behind the point, and at least so many less."""


def tables() -> Tables:
    """The tables of the functions, rounded to the nearest integer."""
    z = torch.arange(-SIGMOID_REACH << scales.SIGMOID_BITS, (SIGMOID_REACH << scales.SIGMOID_BITS) + 1)
    sigmoid = (z.double() / 2**scales.SIGMOID_BITS).sigmoid() * 2**scales.GATE_BITS
    z = torch.arange(0, (EXP_REACH << scales.LOGIT_BITS) + 1)
    exp = (-z.double() / 2**scales.LOGIT_BITS).exp() * 2**scales.GATE_WEIGHT_BITS
    exp[-1] = 0
    z = torch.arange(-NORMAL_REACH << scales.NORMAL_BITS, (NORMAL_REACH << scales.NORMAL_BITS) + 1)
    normal = torch.special.ndtr(z.double() / 2**scales.NORMAL_BITS) * 2**scales.TOTAL_BITS
    return Tables(*(_rounded(table) for table in (sigmoid, exp, normal)))


@torch.no_grad()
def quantize(model: RIDE) -> IntegerModel:
    """The integer model nearest to a RIDE of one channel, one layer or more and a factorised MCGSM.

    The whitening, equation (7), becomes part of the weights that read pixels: the lowest spatial LSTM's, and those of
    the MCGSM's means, which are in levels of 8-bit pixels. Neighbors of value x count as (x + 1/2) / 256.

    Raises:
        ConfigError: the model is of another kind.
        ModelError: its numbers are so large that integers cannot be exact.
    """
    config = model.config
    for bad, what in (
        (config.channels != 1, f"{config.channels} channels"),
        (config.layers < 1, "no spatial LSTM"),
        (config.extended, "extended spatial LSTMs"),
        (config.features is None, "full matrices in its MCGSM"),
        (config.means, "experts with means of their own"),
    ):
        if bad:
            raise ConfigError(
                f"a model with {what} cannot be quantised: use one of 1 channel, 1 layer or more, and features"
            )
    if not all(bool(value.isfinite().all()) for value in model.state_dict().values()):
        raise ConfigError("a model with weights that are NaN or infinite cannot be quantised: train it anew")
    white = model.whitening
    # Pixels are x - 128 in units of 1/256: x / 256 + 1/512 is that plus 1/2 + 1/512.
    into, middle = white.whiten_in.double(), 0.5 + 1 / 512 - white.mean_in.double()
    layers = []
    for number, layer in enumerate(model.stack):
        weight, bias, n = layer.weight.double().clone(), layer.bias.double().clone(), config.hidden
        if not number:
            reads, rest = weight[:, : len(middle)], weight[:, len(middle) :]
            bias += reads @ into @ middle
            weight = torch.cat([reads @ into, rest], dim=1)
        weight[:n] *= 2
        bias[:n] *= 2
        layers.append(
            IntegerLayer(
                _rounded(weight * 2**scales.WEIGHT_BITS),
                _rounded(bias * 2 ** (scales.STATE_BITS + scales.WEIGHT_BITS)),
            )
        )
    largest = scales.LARGEST_MEMORY
    if config.largest_memory is not None:
        # At least one unit, and the end that all models have.
        largest = min(max(1, round(config.largest_memory * 2**scales.STATE_BITS)), largest)
    return IntegerModel(model.neighborhood, tuple(layers), _head(model, into, middle), tables(), largest)


def _head(model: RIDE, into: Tensor, middle: Tensor) -> IntegerHead:
    head, white = model.head, model.whitening
    gain = 256 / white.whiten_out.double().item()  # levels for each unit of the whitened pixel
    b, a = head.b.double(), head.a.double().squeeze(1)
    # Features of at most 1, whatever the states are.
    size = b.abs().sum(1).clamp(min=1e-30)
    predictor = 256 * white.predictor.double() @ into  # [1, D]
    first = predictor @ middle + 256 * white.mean_out.double()  # [1]
    features = torch.cat([b.new_zeros(len(b), len(middle)), b / size.unsqueeze(1)], dim=1)
    means = torch.cat([predictor.expand(len(a), -1), gain * a], dim=1)
    weight = torch.cat([features, means])
    bias = torch.cat([b.new_zeros(len(b)), first.expand(len(a))])
    alpha = head.alpha.double()
    energy = 0.5 * alpha.exp().unsqueeze(-1) * (head.beta.double().square() * size.square()).unsqueeze(1)
    energy, eta = energy.flatten(0, 1), head.eta.double().flatten()
    # As many bits as the bound of 2^53 leaves to the sum of each row.
    room = scales.EXACT / 2 ** (2 * scales.FEATURE_BITS + 1)
    whole = energy.sum(1) + eta.abs() + 1
    bits = (room / whole).log2().floor().clamp(max=ENERGY_BITS)
    if bits.min() < -ENERGY_BITS:
        raise ConfigError("a model whose mixture has such large precisions cannot be quantised: train it anew")
    return IntegerHead(
        weight=_rounded(weight * 2**scales.HEAD_BITS),
        bias=_rounded(bias * 2 ** (scales.STATE_BITS + scales.HEAD_BITS)),
        energy=_rounded(energy * 2 ** bits.unsqueeze(1)),
        energy_bits=_rounded(bits),
        eta=_rounded(eta * 2 ** (bits + 2 * scales.FEATURE_BITS)),
        inverse=_rounded((0.5 * alpha).exp().flatten() / gain * 2**scales.INVERSE_BITS).clip(1),
    )


def _rounded(values: Tensor) -> Integers:
    return values.round().to(torch.int64).numpy().astype(np.int64)
