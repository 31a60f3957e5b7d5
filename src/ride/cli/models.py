"""`ride models`."""

from dataclasses import dataclass
from typing import Any

from ride.cli.options import Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """List the trained models that come with ride, each with its card: how it was made and its rate.

    Other commands take one of these names where they ask for a MODEL; `ride compress` has integer models of the first
    two, bsds300 and bsds300-fast.
    """

    def run(self) -> None:
        """Print names and cards."""
        self.start()

        from ride.models.files import bundled_names, load_card

        cards = {name: load_card(name) for name in bundled_names()}
        for name, card in cards.items():
            self.say(name)
            self.say("\n".join(_lines(card, "  ")))
        if not cards:
            self.say("no models come with this installation")
        self.give({"models": [{"name": name, "card": card} for name, card in cards.items()]})


def _lines(card: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in card.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *_lines(value, indent + "  ")]
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            lines += [f"{indent}{key}:", *(f"{indent}- {_in_one_line(item)}" for item in value)]
        else:
            lines.append(f"{indent}{key}: {_short(value)}")
    return lines


def _in_one_line(card: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in card.items())


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
