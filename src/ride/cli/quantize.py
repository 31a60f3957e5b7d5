"""`ride quantize`."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from ride.cli.options import output_file
from ride.cli.seeded import Seeded


@dataclass(frozen=True, kw_only=True)
class Command(Seeded):
    """Make the integer model of a trained one, for `ride compress`.

    Its arithmetic has one answer on every machine, so that what one has compressed another can decompress. Files name
    the model they were compressed with: keep it as long as them. A model of gray images with one spatial LSTM or more,
    neither extended nor with means or full matrices; with --colours images in colour are compressed with two models
    more.
    """

    model: Annotated[Positional[str], arg(metavar="MODEL")]
    """A bundled name (`ride models` lists them), a run directory or a .safetensors file."""
    out: Path
    """File to write, .safetensors."""
    colours: tuple[str, str] | None = None
    """Models of red - green given green (`ride train --given 1`) and of blue - green given both (`--given 2`)."""
    data: str | None = None
    """Images of 8 bits (folder, glob, image) on which to measure what integers cost MODEL."""
    limit: int | None = None
    """Measure on the first so many images only."""

    def run(self) -> None:
        """Quantise and write."""
        self.start()

        from ride.codec import quantize, save_integer
        from ride.models.files import RUN_MODEL, load, load_card

        models = [Path(name) for name in (self.model, *(self.colours or ()))]
        out = output_file(self.out, (".safetensors",), (*models, *(path / RUN_MODEL for path in models)))

        model = load(self.model)
        integers = quantize(model)
        if self.colours:
            red, blue = (quantize(load(name)) for name in self.colours)
            integers = replace(integers, colours=(red, blue))
        card: dict[str, Any] = {"made": "by ride quantize", "of": load_card(self.model)}
        if self.colours:
            card["colours"] = [load_card(name) for name in self.colours]
        loss = None
        if self.data is not None:
            from ride.codec.loss import measure

            pictures = self.open_planes(self.data, model.config, limit=self.limit, part="test")
            with self.progress("measuring") as progress:
                loss = measure(model, integers, pictures, progress)
            card["loss"] = asdict(loss)
            self.say(str(loss))
        save_integer(integers, out, card)
        # What files call it, in gray and in colour.
        name, coloured = integers.name(1).hex(), integers.name(3).hex()
        self.say(f"wrote {out}, the integer model {name}" + (f", in colour {coloured}" if self.colours else ""))
        result = {"written": [str(out)], "digest": name, "loss": asdict(loss) if loss else None}
        self.give(result | ({"colour_digest": coloured} if self.colours else {}))
