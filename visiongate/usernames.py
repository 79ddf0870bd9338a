"""What a user may be called."""

from __future__ import annotations

import unicodedata

from visiongate.errors import UsernameInvalid

__all__ = ["MAX_USERNAME_LENGTH", "check_username"]

MAX_USERNAME_LENGTH = 64


def check_username(username: str) -> str:
    """Return the name as it is kept, in Unicode's NFC form, so that one look is one name.

    Raises:
        UsernameInvalid: empty, over 64 characters, with a character that does not print (control
            characters, line breaks, unusual spaces), with a space at either end, or with a slash
            or of dots alone, since every account has an address: ``/api/v1/users/NAME``.
    """
    name = unicodedata.normalize("NFC", username)
    if not 1 <= len(name) <= MAX_USERNAME_LENGTH:
        raise UsernameInvalid(
            f"A user name has 1 to {MAX_USERNAME_LENGTH} characters; this one has {len(name)}."
        )
    if not name.isprintable():
        bad = next(character for character in name if not character.isprintable())
        raise UsernameInvalid(
            f"A user name consists of characters that print; this one has U+{ord(bad):04X}."
        )
    if name != name.strip():
        raise UsernameInvalid("A user name neither begins nor ends with a space.")
    if "/" in name or name in (".", ".."):
        raise UsernameInvalid("A user name has no slash in it, and is neither '.' nor '..'.")
    return name
