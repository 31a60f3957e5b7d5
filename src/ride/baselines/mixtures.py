"""The mixtures of the paper's Tables 1 and 2 that EM fits: GSM and MoGSM, GMM, STM."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from ride.baselines.elliptical import EllipticalMixture
from ride.baselines.mixture_em import EMConfig, fit_em
from ride.baselines.radial import Radial, ScaleMixture, Student
from ride.progress import Progress


@dataclass(frozen=True)
class MixtureConfig:
    """Sizes of a mixture, and how it is fitted.

    Args:
        components: K.
        means: components have means of their own; otherwise all have that of the data.
        em: how it is fitted.
    """

    components: int
    means: bool = False
    em: EMConfig = field(default_factory=EMConfig)


class FittedMixture(EllipticalMixture):
    """A mixture of elliptical distributions with its settings."""

    config: MixtureConfig

    def __init__(self, dimension: int, config: MixtureConfig, radial: Radial) -> None:
        super().__init__(dimension, config.components, radial, config.means)
        self.config = config

    def fit(
        self,
        patches: Float[Tensor, "P D"],
        held_out: Float[Tensor, "V D"],
        *,
        seed: int = 0,
        length: float = 1.0,
        directory: Path | None = None,
        progress: Progress | None = None,
    ) -> float:
        """Maximise the likelihood of patches by EM, and keep the parameters that were best on the held-out ones.

        Args:
            patches: to learn from.
            held_out: to choose the best parameters by.
            seed: of the first components and of the batches.
            length: so many times the steps of the settings; 0.01 is a trial.
            directory: of the run: settings, a log in JSON lines and checkpoints; the same call goes on from there.
            progress: called with the steps made and all.

        Returns: the best mean log-likelihood of the held-out patches in nats per patch.

        Raises:
            ConfigError: patches and model do not go together, or the directory holds another run.
            DataError: patches are too few or not finite, or a covariance is not positive definite.
            ModelError: the checkpoint in the directory is damaged.
            OutputError: the directory cannot be written.
        """
        return fit_em(
            self,
            patches,
            held_out,
            self.config.em.scaled(length),
            seed=seed,
            settings={"model": type(self).__name__, "dimension": self.dimension, "config": asdict(self.config)},
            directory=directory,
            progress=progress,
        )


@dataclass(frozen=True)
class MoGSMConfig(MixtureConfig):
    """See `MixtureConfig`; `scales` is the number S of scales of a component."""

    components: int = 32
    scales: int = 8


class MoGSM(FittedMixture):
    """Mixture of Gaussian scale mixtures (Theis, Gerwinn, Sinz & Bethge, 2011).

        p(x) = sum_ks pi_k pi_ks N(x; mu_k, e^-alpha_ks Sigma_k)

    Args:
        dimension: D, numbers of a patch.
        config: sizes and how it is fitted.

    Raises:
        ConfigError: a size makes no sense.
    """

    def __init__(self, dimension: int, config: MoGSMConfig | None = None) -> None:
        config = config or MoGSMConfig()
        super().__init__(dimension, config, ScaleMixture(dimension, config.components, config.scales))


@dataclass(frozen=True)
class GSMConfig(MoGSMConfig):
    """See `MoGSMConfig`: a GSM is one of its components."""

    components: int = 1


class GSM(MoGSM):
    """Gaussian scale mixture (Wainwright & Simoncelli, 2000).

        p(x) = sum_s pi_s N(x; mu, e^-alpha_s Sigma)

    Args:
        dimension: D, numbers of a patch.
        config: sizes and how it is fitted.

    Raises:
        ConfigError: a size makes no sense.
    """

    def __init__(self, dimension: int, config: GSMConfig | None = None) -> None:
        super().__init__(dimension, config or GSMConfig())


@dataclass(frozen=True)
class GMMConfig(MixtureConfig):
    """See `MixtureConfig`; the sizes of Zoran & Weiss (2012)."""

    components: int = 200


class GMM(FittedMixture):
    """Mixture of Gaussians with full covariances (Zoran & Weiss, 2012).

        p(x) = sum_k pi_k N(x; mu_k, Sigma_k)

    Args:
        dimension: D, numbers of a patch.
        config: sizes and how it is fitted.

    Raises:
        ConfigError: a size makes no sense.
    """

    def __init__(self, dimension: int, config: GMMConfig | None = None) -> None:
        config = config or GMMConfig()
        super().__init__(dimension, config, Radial(dimension, config.components))


@dataclass(frozen=True)
class STMConfig(MixtureConfig):
    """See `MixtureConfig`; the sizes of van den Oord & Schrauwen (2014)."""

    components: int = 200


class STM(FittedMixture):
    """Mixture of Student's t distributions (van den Oord & Schrauwen, 2014).

        p(x) = sum_k pi_k t_nu_k(x; mu_k, Sigma_k)

    Args:
        dimension: D, numbers of a patch.
        config: sizes and how it is fitted.

    Raises:
        ConfigError: a size makes no sense.
    """

    def __init__(self, dimension: int, config: STMConfig | None = None) -> None:
        config = config or STMConfig()
        super().__init__(dimension, config, Student(dimension, config.components))
