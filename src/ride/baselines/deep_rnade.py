"""Deep, order-agnostic RNADE and its ensemble over orders of the pixels: Uria, Murray & Larochelle (2014)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, relu

from ride.baselines.conditionals import LinearPrediction, log_mixture, start_mixtures
from ride.baselines.scoring import in_chunks
from ride.baselines.trained import TrainedConfig, TrainedDensity
from ride.data import seeded
from ride.errors import ConfigError, require_at_least

LEAST_SIZE = 0.1
"""Of the seen pixels, made white: what is added to the sum of their squares, so that the size of none is 0."""
SHARED = 16
"""Rows of a batch that have the order in common, at different cuts, so that it is factorised once for all of them."""


@dataclass(frozen=True)
class DeepRNADEConfig(TrainedConfig):
    """Sizes of a deep RNADE and how it is trained.

    Args:
        hidden: units of a hidden layer.
        layers: hidden layers.
        gates: products of a linear function of the patch and one of the top layer.
        components: Gaussians in the conditional of a pixel.
        linear: model what the linear prediction from the seen pixels leaves over, and give it to the network in place
            of the unseen pixels; otherwise each pixel is standardised for itself and the unseen are 0.
        bfloat16: multiply matrices in half precision in training, which takes less time where the processor has
            instructions for it, and for the looks at held-out patches in between; `log_prob` is always computed in the
            precision of the parameters.
        steps: batches to draw.
        batch: patches a step.
        rate: learning rate of Adam.
        held_out: the first so many of the held-out patches, which must be in no order, choose the best parameters.

    Raises:
        ConfigError: a size makes no sense.
    """

    hidden: int = 512
    layers: int = 6
    gates: int = 256
    components: int = 10
    linear: bool = True
    bfloat16: bool = False
    steps: int = 20_000
    batch: int = 512
    rate: float = 2e-3
    held_out: int = 20_000
    longest_warmup = 200

    def __post_init__(self) -> None:
        require_at_least(1, self, "hidden", "layers", "gates", "components", "steps", "batch", "held_out")


class DeepRNADE(TrainedDensity):
    """One network that gives the conditionals of all pixels for any set of seen ones, and so a density for each order.

        p(x) = prod_d p(x_(o_d) | x_(o_1), ..., x_(o_(d-1)))

    Each conditional is a mixture of Gaussians. The network reads the patch with the unseen pixels filled in, as its
    direction and the logarithm of its size, since patches differ most in contrast, and which pixels are seen; its
    hidden layers are rectified linear, and each adds to the one before it. Logits, means and log-scales are linear
    functions of the last, and means also of products of linear functions of it with ones of the direction, as in
    mixtures of linear predictions.

    Args:
        dimension: D, pixels of a patch.
        config: sizes and training.

    Raises:
        ConfigError: the dimension makes no sense.
    """

    name = "deep RNADE"
    config: DeepRNADEConfig

    def __init__(self, dimension: int, config: DeepRNADEConfig | None = None) -> None:
        super().__init__(dimension, config or DeepRNADEConfig())
        hidden, gates, components = self.config.hidden, self.config.gates, self.config.components
        self.prediction = LinearPrediction(dimension, self.config.linear)
        sizes = [2 * dimension + 1] + self.config.layers * [hidden]
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise(sizes))
        self.gate = nn.Linear(hidden, gates)
        self.filter = nn.Linear(dimension, gates, bias=False)
        self.products = nn.Parameter(torch.empty(dimension, components, gates))
        """Weights of the products in the means."""
        self.weight = nn.Parameter(torch.empty(3, dimension, components, hidden))
        self.bias = nn.Parameter(torch.empty(3, dimension, components))
        """Of logits, means and log-scales."""
        self.reset_parameters(seeded(0, self.name))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial parameters."""
        first, *others = self.hidden_layers()
        variances = [(first, 2.0), *((layer, 2 / self.config.layers) for layer in others), (self.gate, 1.0)]
        for layer, variance in (*variances, (self.filter, 1.0)):
            noise = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.copy_(noise * math.sqrt(variance / layer.in_features))
        for layer, _ in variances:
            layer.bias.zero_()
        self.products.zero_()
        noise = torch.randn(self.weight.shape, generator=generator)
        self.weight.copy_(noise * (0.1 / math.sqrt(self.config.hidden)))
        start_mixtures(self.bias)

    def hidden_layers(self) -> list[nn.Linear]:
        """The layers whose outputs are rectified."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def _standardize(self, patches: Tensor) -> None:
        self.prediction.fit(patches)

    def noise(
        self, count: int, generator: torch.Generator
    ) -> tuple[Int[Tensor, "{count} D"], Int[Tensor, " {count}"]]:
        """An order and a cut d in 0 ... D - 1 for each of so many patches. Cuts are uniform, and even over a batch,
        since those for which few pixels remain weigh the most."""
        orders = torch.rand(-(-count // SHARED), self.dimension, generator=generator).argsort(1)
        even = (torch.arange(count) + torch.rand(count, generator=generator)) * (self.dimension / count)
        cuts = even.long().clamp(max=self.dimension - 1)[torch.randperm(count, generator=generator)]
        return orders.repeat_interleave(SHARED, 0)[:count], cuts

    def objective(
        self, x: Float[Tensor, "P D"], order: Int[Tensor, "P D"], cut: Int[Tensor, " P"]
    ) -> Float[Tensor, ""]:
        """Mean over patches of D / (D - d) times the log-likelihoods of all unseen pixels given the d seen ones.

        Over uniform orders and cuts, its mean is that of the log-likelihood over all orders in nats per patch.
        """
        order, cut = order.to(x.device), cut.to(x.device)
        unseen = torch.arange(self.dimension, device=x.device) >= cut.unsqueeze(1)
        orders, which = torch.unique_consecutive(order, dim=0, return_inverse=True)
        factor = self.prediction.factor(orders)
        ordered = (x - self.prediction.mean).gather(1, order).unsqueeze(-1)
        white = torch.linalg.solve_triangular(factor, _eye(factor), upper=False)[which] @ ordered
        seen = white * ~unseen.unsqueeze(-1)
        size = _size(seen.square().sum((1, 2)), cut)
        filled = (factor[which] @ seen).squeeze(-1)
        remaining = factor.square().flip(-1).cumsum(-1).flip(-1)[which, :, cut]
        variance = torch.where(unseen, remaining, 1.0)
        left_over = (ordered.squeeze(-1) - filled) * variance.rsqrt()
        # Back to the pixels as they lie in the patch.
        filled, left_over, variance, weight = (
            torch.empty_like(x).scatter_(1, order, one) for one in (filled, left_over, variance, unseen.to(x))
        )
        direction = linear(filled, self.prediction.whiten) / size
        known = torch.cat([direction, 1 - weight, size.log()], 1)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.config.bfloat16):
            first, *others = self.hidden_layers()
            hidden = _through(others, first(known))
            raw = linear(hidden, self.weight.flatten(0, 2))
            gated = linear(self.gate(hidden) * self.filter(direction), self.products.flatten(0, 1))
        logits, means, log_scales = (raw.to(x).unflatten(1, self.bias.shape) + self.bias).unbind(1)
        means = means + gated.to(x).view_as(means)
        log_probs = log_mixture(left_over, logits, means, log_scales) - 0.5 * variance.log()
        return ((log_probs * weight).sum(1) * (self.dimension / (self.dimension - cut))).mean()

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "P D"], order: Int[Tensor, " D"] | None = None) -> Float[Tensor, " P"]:
        """Log-likelihood of each patch under one order of its pixels (None is as they lie), exact, in nats: D passes
        through the hidden layers."""
        self._check(x)
        if order is None:
            order = torch.arange(self.dimension)
        if order.sort().values.tolist() != list(range(self.dimension)):
            raise ConfigError(
                f"an order names each of the pixels 0 to {self.dimension - 1} once, not {order.tolist()}"
            )
        return in_chunks(self._scorer(order.to(x.device)), x)

    def _scorer(self, order: Tensor) -> Callable[[Tensor], Tensor]:
        """What scores patches under one order, with all that does not depend on the patches computed."""
        factor = self.prediction.factor(order)
        first, *others = self.hidden_layers()
        by_patch, by_seen, by_size = first.weight.split([self.dimension, self.dimension, 1], 1)
        # What the first layer and the filters add when a pixel is seen, but for the size: NADE's running activation.
        of_patch = torch.cat([by_patch, self.filter.weight])
        steps = (of_patch @ self.prediction.whiten[:, order] @ factor).mT.contiguous()
        # The rest of it with the first d pixels seen.
        marks = first.bias + by_seen[:, order].mT.cumsum(0) - by_seen[:, order].mT
        weight = self.weight[:, order].transpose(0, 1).flatten(1, 2)
        bias = self.bias[:, order].transpose(0, 1)

        def score(x: Tensor) -> Tensor:
            ordered = (x - self.prediction.mean)[:, order]
            white = torch.linalg.solve_triangular(factor, ordered.mT, upper=False)
            running, squares = x.new_zeros(len(x), len(of_patch)), x.new_zeros(len(x))
            log_prob = -factor.diagonal().log().sum().repeat(len(x))
            for d in range(self.dimension):
                size = _size(squares, d)
                activation, filtered = (running / size).split([len(by_patch), self.config.gates], 1)
                hidden = _through(others, activation + size.log() * by_size.mT + marks[d])
                logits, means, log_scales = (linear(hidden, weight[d]).unflatten(1, (3, -1)) + bias[d]).unbind(1)
                means = means + linear(self.gate(hidden) * filtered, self.products[order[d]])
                log_prob += log_mixture(white[d], logits, means, log_scales)
                running.addr_(white[d], steps[d])
                squares += white[d].square()
            return log_prob

        return score

    @torch.no_grad()
    def ensemble_log_prob(self, x: Float[Tensor, "P D"], orders: int = 8, seed: int = 0) -> Float[Tensor, " P"]:
        """Log-likelihood of each patch under EoRNADE, the mixture of the densities of so many random orders: exact,
        in nats."""
        self._check(x)
        if orders < 1:
            raise ConfigError(f"an ensemble has at least 1 order, not {orders}")
        generator = seeded(seed, "orders")
        members = [self.log_prob(x, torch.randperm(self.dimension, generator=generator)) for _ in range(orders)]
        return torch.stack(members).logsumexp(0) - math.log(orders)


def _through(others: list[nn.Linear], activation: Float[Tensor, "P H"]) -> Float[Tensor, "P H"]:
    """The last hidden layer from the activation of the first: each of the others adds to the one before."""
    hidden = relu(activation)
    for layer in others:
        hidden = hidden + relu(layer(hidden))
    return hidden


def _size(squares: Float[Tensor, " P"], seen: Int[Tensor, " P"] | int) -> Float[Tensor, "P 1"]:
    """Size of the seen pixels, made white, from the sum of their squares and their number."""
    return ((squares + LEAST_SIZE) / (seen + 1)).sqrt().unsqueeze(1)


def _eye(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device).expand_as(like)
