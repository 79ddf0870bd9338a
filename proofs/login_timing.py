"""Show that the time a refused login takes does not tell whether the user name exists.

    python -m proofs.login_timing                  2,000 logins of each kind
    python -m proofs.login_timing --logins 200

Logins of every kind come in random order, so that whatever else the machine does meets all of
them alike. Each kind's times are compared with those of unknown names by the Mann-Whitney test,
which asks only which is longer. Of its result we look at the effect: the chance that a login of
this kind takes longer than one of an unknown name (one half: no difference).
Exit status: 0 no difference was found, 1 one was.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from visiongate.services import build_services
from visiongate.settings import Settings
from visiongate.web.app import create_app

__all__ = ["KINDS", "Login", "chance_of_longer", "measure", "p_value", "prepared"]

Login = Callable[[str, str], object]
PASSWORD = "correct horse battery staple"
KINDS: Mapping[str, tuple[str, str]] = {
    "unknown name": ("nobody", "a wrong password"),
    "another unknown name": ("no-one", "a wrong password"),
    "known name": ("known", "a wrong password"),
    "known name, almost the password": ("known", PASSWORD[:-1] + "E"),
    "an admin's name": ("root", "a wrong password"),
    "disabled user, wrong password": ("disabled", "a wrong password"),
    "disabled user, right password": ("disabled", PASSWORD),
    "unknown name, too long a password": ("nobody", "x" * 100),
    "known name, too long a password": ("known", "x" * 100),
}
_BASE = "unknown name"
_DIFFERENT = 0.05
_CHANCE = 1e-4


def prepared(folder: Path, rounds: int) -> tuple[Login, Callable[[], None]]:
    """Return a function that logs in to a gateway with real stores, and one that closes it."""
    values: dict[str, Any] = {
        "data_dir": folder / "data",
        "images_dir": folder / "images",
        "bcrypt_rounds": rounds,
        "login_rate_per_user": "1000000 per minute",
        "login_rate_per_address": "1000000 per minute",
        "offline": True,
        "preload": False,
        "log_level": "error",
    }
    settings = Settings(**values)
    services = build_services(settings)
    services.users.create("known", PASSWORD)
    services.users.create("root", PASSWORD, role="admin")
    services.users.create("disabled", PASSWORD)
    services.users.set_disabled("disabled", True)
    client = create_app(settings, services).test_client()

    def login(username: str, password: str) -> object:
        body = {"username": username, "password": password}
        return client.post("/api/v1/login", json=body)

    return login, services.close


def measure(
    login: Login, number: int, kinds: Mapping[str, tuple[str, str]] = KINDS
) -> dict[str, list[float]]:
    """Return the seconds that ``number`` logins of each kind took, in random order."""
    order = [kind for kind in kinds for _ in range(number)]
    random.shuffle(order)
    for given in kinds.values():
        login(*given)  # what is only done once, is done before
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for kind in order:
        begun = time.perf_counter()
        login(*kinds[kind])
        times[kind].append(time.perf_counter() - begun)
    return times


def chance_of_longer(some: Sequence[float], others: Sequence[float]) -> float:
    """Return how often one of ``some`` is longer than one of ``others``: U / (n m)."""
    ranked = sorted([(value, True) for value in some] + [(value, False) for value in others])
    smaller = longer = 0
    for _, of_some in ranked:
        longer += smaller * of_some
        smaller += not of_some
    return longer / (len(some) * len(others))


def p_value(chance: float, n: int, m: int) -> float:
    """Return how likely so large an effect is where there is none (two-sided, normal)."""
    deviation = math.sqrt((n + m + 1) / (12 * n * m))
    return math.erfc(abs(chance - 0.5) / deviation / math.sqrt(2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m proofs.login_timing",
        description="Does a refused login's time tell whether the name exists?",
    )
    parser.add_argument("--logins", type=int, default=2000, metavar="NUMBER", help="of each kind")
    parser.add_argument("--rounds", type=int, default=6, help="bcrypt's; fewer show more")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="visiongate-proof-") as folder:
        login, close = prepared(Path(folder), options.rounds)
        times = measure(login, options.logins)
        close()
    print(f"{'':34} {'median, ms':>10} {'longer':>8} {'p':>8}")
    different = []
    for kind, taken in times.items():
        chance = chance_of_longer(taken, times[_BASE])
        chance = 0.5 if kind == _BASE else chance
        p = p_value(chance, len(taken), len(times[_BASE]))
        print(f"{kind:34} {median(taken) * 1000:10.3f} {chance:8.3f} {p:8.1e}")
        if abs(chance - 0.5) > _DIFFERENT and p < _CHANCE:
            different.append(kind)
    print(f"different: {', '.join(different)}" if different else "no difference was found")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
