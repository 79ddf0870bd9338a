"""Bytes from anyone -> an upright RGB picture, or an error that says what is wrong with them."""

from visiongate.imaging.decoding import MAX_SIDE, Limits, decode
from visiongate.imaging.formats import FORMATS, extension, identify, media_type

__all__ = ["FORMATS", "MAX_SIDE", "Limits", "decode", "extension", "identify", "media_type"]
