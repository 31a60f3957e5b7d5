"""Mixture of conditional Gaussian scale mixtures, section 2.1: model, distribution, fast gradient."""

from ride.models.mcgsm.distribution import MCGSMDistribution
from ride.models.mcgsm.module import MCGSM

__all__ = ["MCGSM", "MCGSMDistribution"]
