"""`ride app`."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from ride.cli.options import Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Open a page on this machine: inpainting, textures and likelihoods with a mouse.

    The page is served to this machine only and asks no other for anything. The bundled models are there at once; name
    others (run directories or .safetensors files) to have them too. Ctrl+C ends it.
    """

    models: Annotated[Positional[tuple[str, ...]], arg(metavar="[MODEL...]")] = ()
    """More models to choose from."""
    port: int = 7860
    """Of the address http://127.0.0.1:PORT/; 0 takes any that is free."""

    def run(self) -> None:
        """Serve until an interrupt."""
        self.start()

        from ride.app.limits import Limits
        from ride.app.server import serve

        def ready(address: str) -> None:
            self.say(f"ride app: {address} (Ctrl+C ends it)")
            self.give({"address": address})

        try:
            serve(self.port, self.models, Limits(), ready)
        except KeyboardInterrupt:
            self.say("ride app: closed")
