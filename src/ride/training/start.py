"""Beginning a run with the parameters of another model."""

from dataclasses import replace

from ride.errors import ConfigError
from ride.models.ride import RIDE
from ride.training.patches import model_fingerprint


def begin_with(model: RIDE, start: RIDE) -> str:
    """Give `model` the parameters and the whitening of `start`, and return a digest of them.

    Raises:
        ConfigError: they are not of one kind; only where memory units end may differ.
    """
    wanted = replace(model.config, largest_memory=start.config.largest_memory)
    if wanted != start.config:
        differing = [name for name, value in vars(wanted).items() if value != getattr(start.config, name)]
        raise ConfigError(
            f"the model to start from has other settings than the one to fit: {', '.join(differing)}; make them equal"
        )
    model.load_state_dict(start.state_dict())
    return model_fingerprint(start)
