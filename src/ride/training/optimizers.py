"""The optimisers that follow stochastic gradients."""

from typing import Literal

import torch
from torch import nn

from ride.models.slstm import SpatialLSTM
from ride.training.soap import SOAP

Name = Literal["sgd", "adam", "soap"]


def make(name: Name, model: nn.Module, betas: tuple[float, float], momentum: float = 0.0) -> torch.optim.Optimizer:
    """A new optimiser of all parameters at a learning rate of 0; `betas` is of Adam and SOAP, `momentum` of `sgd`.

    SOAP turns the matrices of the spatial LSTMs only. In an MCGSM, where the axes of many matrices mean something,
    Adam as it is does better.
    """
    if name == "sgd":
        return torch.optim.SGD(model.parameters(), lr=0.0, momentum=momentum)
    if name == "adam":
        return torch.optim.Adam(model.parameters(), lr=0.0, betas=betas)
    turned = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, SpatialLSTM)
        for parameter in module.parameters()
    }
    return SOAP(
        [{"params": [parameter], "turned": id(parameter) in turned} for parameter in model.parameters()],
        lr=0.0,
        betas=betas,
    )
