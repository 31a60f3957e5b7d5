"""Lossless compression: a model in integers, the coder of its probabilities, and the format of the files."""

from ride.codec.container import Info, parse
from ride.codec.decoding import decode, decode_all, salvage
from ride.codec.encoding import encode, encode_all
from ride.codec.integer import IntegerModel
from ride.codec.integer_files import bundled_integers, load_integer, load_integer_card, save_integer
from ride.codec.quantize import quantize

__all__ = [
    "Info",
    "IntegerModel",
    "bundled_integers",
    "decode",
    "decode_all",
    "encode",
    "encode_all",
    "load_integer",
    "load_integer_card",
    "parse",
    "quantize",
    "salvage",
    "save_integer",
]
