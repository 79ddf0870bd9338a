"""Ask a Visiongate gateway over HTTP: one file to copy, which needs ``requests`` and no more.

    with VisiongateClient("http://localhost:5000", "ann", password) as client:
        report = client.detect(Path("1.jpg").read_bytes(), ["face"])

Tokens are renewed before they expire, and asked for anew with the password where that fails.
Every error is a GatewayError, whose message is for people.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests

__all__ = ["GatewayError", "GatewayRefused", "GatewayUnreachable", "VisiongateClient"]

CONNECT_SECONDS = 5.0
RENEW_EARLY = 0.2
"""Which part of a token's life is left when it is renewed; at most a minute."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0

T = TypeVar("T")
Wait = Callable[["GatewayError", float], None]
Json = dict[str, Any]

_BUSY = frozenset({429, 502, 503, 504})
_OUT_OF_ORDER = frozenset({"detector_unavailable", "model_unavailable"})


class GatewayError(Exception):
    """The gateway gave no useful answer. ``transient``: the same request may succeed later."""

    transient = False
    retry_after: float | None = None


class GatewayUnreachable(GatewayError):
    """Nobody answered: not started, restarting, or cut off."""

    transient = True


class GatewayRefused(GatewayError):
    """The gateway answered with a problem: ``status``, its stable ``code``, its words."""

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        # A detector that is out of order stays so, unless the gateway says when it will not.
        self.transient = status in _BUSY and (code not in _OUT_OF_ORDER or retry_after is not None)


class VisiongateClient:
    """One user's way to one gateway. Not thread-safe: one client a thread.

    ``answer_seconds`` is how long one answer may take, ``patience`` for how many seconds
    ``patiently`` goes on without any. ``wait(problem, seconds)`` spends a pause; give another
    than sleeping to show the problem meanwhile.
    """

    def __init__(
        self,
        address: str,
        username: str,
        password: str,
        *,
        answer_seconds: float = 60.0,
        patience: float = 60.0,
        wait: Wait = lambda _problem, seconds: time.sleep(seconds),
        clock: Callable[[], float] = time.monotonic,
        session: requests.Session | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        self.username = username
        self.patience = patience
        self._password = password
        self._timeout = (CONNECT_SECONDS, answer_seconds)
        self.wait = wait
        self._clock = clock
        self._session = session or requests.Session()
        self._access = self._refresh = ""
        self._renew_at = 0.0

    def __enter__(self) -> VisiongateClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def login(self) -> None:
        """Exchange the password for tokens; other methods do so by themselves when needed."""
        credentials = {"username": self.username, "password": self._password}
        self._keep(self._send("POST", "login", json=credentials))

    def detect(
        self, picture: bytes, detectors: Iterable[str], *, keep: bool = False, **options: object
    ) -> Json:
        """Return the full report of one picture (JPEG, PNG ...), boxes in its pixels.

        The gateway keeps no copy unless ``keep``. ``options`` are those of docs/http-api.md, as
        in ``min_confidence=0.5``; None leaves one out.
        """
        parameters = {name: str(value) for name, value in options.items() if value is not None}
        parameters |= {"detectors": ",".join(detectors), "delete": str(not keep).lower()}
        # No image is named: the gateway looks at the bytes.
        headers = {"Content-Type": "image/*"}
        return self._ask("POST", "detect", params=parameters, data=picture, headers=headers)

    def detectors(self) -> list[Json]:
        """Return every detector with its labels, its state, and whether this user may use it."""
        found: list[Json] = self._ask("GET", "detectors")["detectors"]
        return found

    def patiently(self, action: Callable[[], T]) -> T:
        """Return what ``action`` does, through restarts and overload of the gateway.

        Waits as long as the gateway asks, or ever longer; raises the last error when patience
        is at its end, and at once where waiting cannot help.
        """
        pause, end = FIRST_PAUSE, self._clock() + self.patience
        while True:
            try:
                return action()
            except GatewayError as problem:
                # Spread, so that many clients of a gateway that restarts do not come at once.
                seconds = pause * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
                if problem.retry_after is not None:
                    seconds = max(problem.retry_after, 0.1)
                if not problem.transient or self._clock() + seconds > end:
                    raise
                self.wait(problem, seconds)
                pause = min(2 * pause, LONGEST_PAUSE)

    def close(self) -> None:
        """Log out, as far as the gateway can be reached, and drop the connection."""
        if self._access:
            with suppress(GatewayError):  # the tokens expire by themselves
                self._send("POST", "logout", token=self._access, timeout=2.0)
            self._access = self._refresh = ""
        self._session.close()

    def _ask(self, method: str, route: str, **content: Any) -> Json:
        """Send a request with a good token, a new one if the gateway no longer takes it."""
        if self._clock() >= self._renew_at:
            self._renew()
        try:
            return self._send(method, route, token=self._access, **content)
        except GatewayRefused as problem:
            if problem.status != 401:
                raise
        self._renew()
        return self._send(method, route, token=self._access, **content)

    def _renew(self) -> None:
        if self._refresh:
            # Works once: if the answer gets lost, only the password helps.
            token, self._refresh = self._refresh, ""
            try:
                self._keep(self._send("POST", "refresh", token=token))
            except GatewayRefused as problem:
                if problem.status != 401:
                    self._refresh = token
                    raise
            else:
                return
        self.login()

    def _keep(self, answer: Json) -> None:
        try:
            life = float(answer["expires"])
            self._access, self._refresh = answer["access_token"], answer["refresh_token"]
        except (KeyError, TypeError, ValueError):
            raise GatewayError(f"{self.address} gave no tokens: is it a Visiongate?") from None
        self._renew_at = self._clock() + life - min(60.0, RENEW_EARLY * life)

    def _send(
        self, method: str, route: str, *, token: str = "", timeout: Any = None, **content: Any
    ) -> Json:
        try:
            response = self._session.request(
                method,
                f"{self.address}/api/v1/{route}",
                auth=_Bearer(token),
                timeout=timeout or self._timeout,
                allow_redirects=False,  # they would turn POST into GET
                **content,
            )
        except requests.RequestException as error:
            raise self._unreachable(error) from error
        if response.is_redirect:
            target = response.headers["Location"]
            raise GatewayError(f"{self.address} sends us to {target}: use that address instead.")
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not response.ok:
            raise self._refused(response, answer if isinstance(answer, Mapping) else {})
        if not isinstance(answer, dict):
            raise GatewayError(f"{self.address} answered no JSON object: is it a Visiongate?")
        return answer

    def _unreachable(self, error: requests.RequestException) -> GatewayError:
        if isinstance(error, requests.exceptions.SSLError):
            return GatewayError(f"The certificate of {self.address} is not trusted: {error}")
        if isinstance(error, ValueError):  # how requests marks an address that is none
            return GatewayError(f"{self.address!r} is no address: {error}")
        if isinstance(error, requests.ReadTimeout):
            return GatewayUnreachable(f"{self.address} gave no answer in {self._timeout[1]:g} s.")
        return GatewayUnreachable(f"{self.address} cannot be reached: {_reason(error)}.")

    def _refused(self, response: requests.Response, problem: Mapping[str, Any]) -> GatewayRefused:
        code, detail = problem.get("code"), problem.get("detail")
        return GatewayRefused(
            response.status_code,
            code if isinstance(code, str) else "",
            str(detail or f"{self.address} answered {response.status_code} {response.reason}."),
            _retry_after(response.headers.get("Retry-After")),
        )


class _Bearer(requests.auth.AuthBase):
    """The token as requests' own ``auth``, or an entry in ~/.netrc would replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _reason(error: BaseException) -> str:
    """Return the operating system's words, which lie under several wrappings."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return "no connection" if isinstance(error, requests.ConnectionError) else str(error)


def _retry_after(header: str | None) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or as a date (RFC 9110)."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
