"""Names and passwords from a person at a terminal, or from a program through standard input."""

from __future__ import annotations

import getpass
import sys

from visiongate.errors import PasswordInvalid
from visiongate.passwords import check_new_password

__all__ = ["Refused", "ask_name", "ask_password", "confirm", "read_password"]

_STDIN_LIMIT = 4096  # far above bcrypt's 72 bytes; keeps an endless input from filling memory


class Refused(Exception):
    """Nobody can be asked, or the answers do not fit; the message says what to do."""


def ask_name() -> str:
    """Ask for a user name. Raises: Refused without a terminal, EOFError at Ctrl+D."""
    if not sys.stdin.isatty():
        raise Refused("There is no terminal to ask at: name the user with -u NAME.")
    return input("User name: ").strip()


def confirm(question: str) -> bool:
    """Ask yes or no; no is the default, and the answer where there is no terminal."""
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def ask_password() -> str:
    """Ask twice, without echo.

    Raises:
        Refused: no terminal, or two different answers.
        PasswordInvalid: told before it has to be typed again.
    """
    if not sys.stdin.isatty():
        raise Refused("There is no terminal to ask for the password at: use --password-stdin.")
    password = getpass.getpass("Password: ")
    check_new_password(password)
    if getpass.getpass("The same again: ") != password:
        raise Refused("The two passwords differ. Nothing was changed.")
    return password


def read_password() -> str:
    """Read one line from standard input, or ask if that is a terminal.

    Raises:
        PasswordInvalid: too much, more than one line, or not UTF-8.
    """
    if sys.stdin.isatty():
        return ask_password()
    content = sys.stdin.buffer.read(_STDIN_LIMIT + 1)
    if len(content) > _STDIN_LIMIT:
        raise PasswordInvalid(f"Standard input has more than {_STDIN_LIMIT} bytes.")
    try:
        password = content.decode()
    except UnicodeDecodeError:
        raise PasswordInvalid("The password on standard input is not UTF-8.") from None
    password = password.removesuffix("\n").removesuffix("\r")
    if "\n" in password:
        raise PasswordInvalid("Standard input has more than one line; give the password alone.")
    return password
