"""Manage the gateway's users from the command line, also while it runs.

Exit status: 0 done, 1 not done (standard error says why), 2 wrong usage, 130 Ctrl+C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from visiongate.errors import UserNotFound, VisiongateError
from visiongate.prompts import Refused, ask_name, ask_password, confirm, read_password
from visiongate.services import build_users
from visiongate.settings import load_settings
from visiongate.types import User
from visiongate.users import Users, check_username

__all__ = ["main"]

_EXAMPLES = """\
examples:
  python adduser.py                                    ask for a name and a password
  python adduser.py -u ann --role admin                add an admin; ask for the password
  echo "$PASSWORD" | python adduser.py -u ann --password-stdin
  python adduser.py -u cam1 --detectors face,object    this user may call these two alone
  python adduser.py -u cam1 --detectors all            change that (cam1 exists already)
  python adduser.py --passwd ann                       change a password; ends ann's tokens
  python adduser.py --disable ann                      lock ann out at once; --enable to undo
  python adduser.py --remove ann
  python adduser.py --list

Users are kept in users.json in the data folder (VISIONGATE_DATA_DIR, default data). A running
gateway follows at its next request.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check_usage(parser, options)
    try:
        _, users = build_users(load_settings())
        _act(users, options)
        sys.stdout.flush()
    except (Refused, VisiongateError) as error:
        return _fail(str(error))
    except EOFError:
        return _fail("The input ended before everything was answered. Nothing was changed.")
    except BrokenPipeError:
        # The reader (head, say) has seen enough; keep Python from complaining at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        _fail("\nInterrupted.")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adduser.py",
        description="Add, change, list and remove the users of this gateway.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-u", "--user", metavar="NAME", help="the user (asked for if absent)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    source.add_argument(
        "-p",
        "--password",
        metavar="PASSWORD",
        help="the password; others on this machine can see it there, so better not",
    )
    parser.add_argument(
        "-f", "--force", action="store_true", help="if the user exists, replace the password"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("-l", "--list", action="store_true", help="list the users")
    named = {
        "-r --remove": "remove the user",
        "--passwd": "change the password of a user who exists",
        "--disable": "lock the user out; tokens end at once",
        "--enable": "let the user in again",
    }
    for flags, text in named.items():
        action.add_argument(*flags.split(), nargs="?", const="", metavar="NAME", help=text)
    parser.add_argument("--role", choices=("user", "admin"), help="default: user")
    parser.add_argument(
        "--detectors",
        type=_detectors,
        metavar="NAMES",
        help="what the user may call: names with commas between, all (the default) or none",
    )
    return parser


def _detectors(text: str) -> frozenset[str] | str:
    """Read ``--detectors``; "all" stays a word, since None already says "not given"."""
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return "all"
    if names == ["none"]:
        return frozenset()
    for name in names:
        if not name.isidentifier() or not name.islower() or name in ("all", "none"):
            raise argparse.ArgumentTypeError(
                f"{name!r} is no detector's name: use lower-case names with commas between, "
                "or 'all' or 'none' alone"
            )
    return frozenset(names)


def _check_usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    action = _action(options)
    named = getattr(options, action, None) if action not in ("add", "list") else None
    if named and options.user is not None and named != options.user:
        parser.error(f"two users named: {named!r} and {options.user!r}")
    options.user = options.user if options.user is not None else named or None
    attributes = options.role is not None or options.detectors is not None
    secret = options.password is not None or options.password_stdin
    if action in ("list", "remove") and (attributes or secret):
        parser.error(f"--{action} takes no password, role or detectors")
    if action == "list" and options.user is not None:
        parser.error("--list takes no user")
    if action in ("disable", "enable") and secret:
        parser.error(f"--{action} takes no password; use --passwd")
    if options.password_stdin and options.user is None:
        parser.error("--password-stdin needs -u NAME")


def _action(options: argparse.Namespace) -> str:
    if options.list:
        return "list"
    actions = ("remove", "passwd", "disable", "enable")
    return next((name for name in actions if getattr(options, name) is not None), "add")


def _act(users: Users, options: argparse.Namespace) -> None:
    action = _action(options)
    if action == "list":
        _show(users.list())
        return
    name = options.user if options.user is not None else ask_name()
    if action == "add":
        _add(users, name, options)
        return
    users.get(name)  # an unknown user is told before a password is asked for
    if action == "remove":
        users.remove(name)
        _say(f"User {name!r} is removed.")
    elif action == "passwd":
        users.set_password(name, _password(options))
        _say(f"The password of {name!r} is changed; tokens given out before have ended.")
    else:
        users.set_disabled(name, action == "disable")
        _say(f"User {name!r} is {action}d.")
    _set_attributes(users, name, options)


def _add(users: Users, name: str, options: argparse.Namespace) -> None:
    exists = _exists(users, name)
    secret = options.password is not None or options.password_stdin
    attributes = options.role is not None or options.detectors is not None
    if exists and attributes and not secret and not options.force:
        _set_attributes(users, name, options)
        return
    question = f"There is a user {name!r} already. Replace the password?"
    if exists and not options.force and (secret or not confirm(question)):
        raise Refused(
            f"There is a user {name!r} already. Use --passwd or --force to change the password, "
            "or --role and --detectors alone to change those."
        )
    if exists:
        users.set_password(name, _password(options))
        _say(f"The password of {name!r} is changed; tokens given out before have ended.")
        _set_attributes(users, name, options)
        return
    detectors = None if options.detectors in (None, "all") else options.detectors
    user = users.create(name, _password(options), options.role or "user", detectors)
    _say(f"User {user.username!r} is added ({user.role}; detectors: {_names(user)}).")


def _exists(users: Users, name: str) -> bool:
    try:
        users.get(check_username(name))  # a bad name is told before a password is asked for
    except UserNotFound:
        return False
    return True


def _set_attributes(users: Users, name: str, options: argparse.Namespace) -> None:
    if options.role is not None:
        users.set_role(name, options.role)
        _say(f"User {name!r} now has the role {options.role}.")
    if options.detectors is not None:
        chosen = None if options.detectors == "all" else options.detectors
        user = users.set_detectors(name, chosen)
        _say(f"User {name!r} may now use these detectors: {_names(user)}.")


def _password(options: argparse.Namespace) -> str:
    if options.password_stdin:
        return read_password()
    if options.password is None:
        return ask_password()
    sys.stderr.write(
        "Warning: a password on the command line can be read in the process list and stays in "
        "the shell's history; --password-stdin avoids both.\n"
    )
    return str(options.password)


def _show(users: Sequence[User]) -> None:
    if not users:
        _say("There are no users yet: python adduser.py adds one.")
        return
    # Only a listing needs rich, which knows how wide a character is on the screen.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("user", "role", "state", "detectors", "created"):
        table.add_column(heading, no_wrap=True)
    for user in users:
        state = "disabled" if user.disabled else "enabled"
        created = datetime.fromtimestamp(user.created, timezone.utc).strftime("%Y-%m-%d")
        cells = (user.username, user.role, state, _names(user), created)
        table.add_row(*(Text(cell) for cell in cells))  # Text: a name is never markup
    # In a pipe a line stays a line, however long.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def _names(user: User) -> str:
    if user.detectors is None:
        return "all"
    return ", ".join(sorted(user.detectors)) or "none"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
