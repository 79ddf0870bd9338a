"""Manage the gateway's users from the command line, also while it runs.

Exit status: 0 done, 1 not done (standard error says why), 2 wrong usage, 130 Ctrl+C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from visiongate._command import command
from visiongate.errors import LastAdmin, UserNotFound, VisiongateError
from visiongate.prompts import Refused, ask_name, ask_password, confirm, read_password
from visiongate.quotas import MAX_QUOTA
from visiongate.services import build_users
from visiongate.settings import load_settings
from visiongate.user_table import detector_names, quota_words, show_users
from visiongate.users import Changes, Users, check_username

__all__ = ["main"]

_EXAMPLES = """\
examples:
  python adduser.py                                    ask for a name and a password
  python adduser.py -u ann --role admin                add an admin; ask for the password
  echo "$PASSWORD" | python adduser.py -u ann --password-stdin
  python adduser.py -u cam1 --detectors face,object    this user may call these two alone
  python adduser.py -u cam1 --detectors all            change that (cam1 exists already)
  python adduser.py -u cam1 --requests-per-day 5000    pictures a day; also unlimited, default
  python adduser.py --passwd ann                       change a password; ends ann's tokens
  python adduser.py --disable ann                      lock ann out at once; --enable to undo
  python adduser.py --remove ann
  python adduser.py --list

Users are kept in users.json in the data folder (VISIONGATE_DATA_DIR, default data). A running
gateway follows at its next request.
"""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check_usage(parser, options)
    try:
        _, users = build_users(load_settings())
        _act(users, options)
    except LastAdmin as error:
        return _fail(f"{error} Or use --force.")
    except (Refused, VisiongateError) as error:
        return _fail(str(error))
    except EOFError:
        return _fail("The input ended before everything was answered. Nothing was changed.")
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
        "-f",
        "--force",
        action="store_true",
        help="if the user exists, replace the password; let go even the last admin",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("-l", "--list", action="store_true", help="list the users")
    named = {
        "-r --remove": "remove the user, and the user's kept pictures",
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
    for what in ("requests", "megapixels"):
        parser.add_argument(
            f"--{what}-per-day",
            type=_quota,
            metavar="N",
            help=f"{'pictures' if what == 'requests' else what} a day (UTC): a number, unlimited, "
            "or default (what the operator's settings say)",
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


def _quota(text: str) -> int | str:
    """Read a quota; "default" stays a word, since None already says "not given"."""
    if text in ("default", "unlimited"):
        return 0 if text == "unlimited" else text
    if not (text.isascii() and text.isdigit() and int(text[:12]) <= MAX_QUOTA):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no quota: use a whole number up to {MAX_QUOTA}, 'unlimited' or 'default'"
        )
    return int(text[:12])


def _check_usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    action = _action(options)
    named = getattr(options, action, None) if action not in ("add", "list") else None
    if named and options.user is not None and named != options.user:
        parser.error(f"two users named: {named!r} and {options.user!r}")
    options.user = options.user if options.user is not None else named or None
    attributes = bool(_changes(options))
    secret = options.password is not None or options.password_stdin
    if action in ("list", "remove") and (attributes or secret):
        parser.error(f"--{action} takes no password, role, detectors or quota")
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
        found = users.list()
        if found:
            show_users(found)
        else:
            _say("There are no users yet: python adduser.py adds one.")
        return
    name = options.user if options.user is not None else ask_name()
    if action == "add":
        _add(users, name, options)
        return
    if action == "remove":
        pictures = users.remove(name, force=options.force)
        _say(f"User {name!r} is removed{f', and {pictures} kept pictures' if pictures else ''}.")
        return
    users.get(name)  # an unknown user is told before a password is asked for
    if action == "passwd":
        users.set_password(name, _password(options))
        _say(f"The password of {name!r} is changed; tokens given out before have ended.")
    else:
        users.set_disabled(name, action == "disable", force=options.force)
        _say(f"User {name!r} is {action}d.")
    _set_attributes(users, name, options)


def _add(users: Users, name: str, options: argparse.Namespace) -> None:
    exists = _exists(users, name)
    secret = options.password is not None or options.password_stdin
    attributes = bool(_changes(options))
    if exists and attributes and not secret and not options.force:
        _set_attributes(users, name, options)
        return
    question = f"There is a user {name!r} already. Replace the password?"
    if exists and not options.force and (secret or not confirm(question)):
        raise Refused(
            f"There is a user {name!r} already. Use --passwd or --force to change the password, "
            "or --role, --detectors or a quota alone to change those."
        )
    if exists:
        users.set_password(name, _password(options))
        _say(f"The password of {name!r} is changed; tokens given out before have ended.")
        _set_attributes(users, name, options)
        return
    given = _changes(options)
    user = users.create(
        name,
        _password(options),
        given.get("role", "user"),
        given.get("detectors"),
        requests_per_day=given.get("requests_per_day"),
        megapixels_per_day=given.get("megapixels_per_day"),
    )
    _say(f"User {user.username!r} is added ({user.role}; detectors: {detector_names(user)}).")


def _exists(users: Users, name: str) -> bool:
    try:
        users.get(check_username(name))  # a bad name is told before a password is asked for
    except UserNotFound:
        return False
    return True


def _changes(options: argparse.Namespace) -> Changes:
    """Return what is said of the account, but for its password."""
    given: Changes = {}
    if options.role is not None:
        given["role"] = options.role
    if options.detectors is not None:
        given["detectors"] = None if options.detectors == "all" else options.detectors
    if options.requests_per_day is not None:
        per_day = options.requests_per_day
        given["requests_per_day"] = None if per_day == "default" else per_day
    if options.megapixels_per_day is not None:
        per_day = options.megapixels_per_day
        given["megapixels_per_day"] = None if per_day == "default" else per_day
    return given


def _set_attributes(users: Users, name: str, options: argparse.Namespace) -> None:
    given = _changes(options)
    if not given:
        return
    user = users.change(name, given, force=options.force)
    if "role" in given:
        _say(f"User {name!r} now has the role {user.role}.")
    if "detectors" in given:
        _say(f"User {name!r} may now use these detectors: {detector_names(user)}.")
    if "requests_per_day" in given or "megapixels_per_day" in given:
        _say(f"User {name!r} now has this quota a day: {quota_words(user)}.")


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


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
