"""What a gateway of a test takes for the network, and how it is asked to fetch from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpcore
from flask.testing import FlaskClient

__all__ = ["FACE", "LIMIT", "OTHER", "PUBLIC", "Dialled", "Headers", "Names", "Net", "Use", "ask"]

Headers = dict[str, str]
Use = Callable[..., "Net"]

FACE = "/api/v1/detect/face"
LIMIT = 100_000
PUBLIC, OTHER = "93.184.215.14", "8.8.8.8"


class Names:
    """A resolver: each name's answers in turn, the last one again and again."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if answers is None:
            if host.replace(".", "").isdigit() or ":" in host:
                return [host]
            raise OSError("no such host")
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Dialled(httpcore.SyncBackend):
    """Connects to loopback whatever address is asked for; ``to`` is what was."""

    def __init__(self) -> None:
        self.to: list[str] = []

    def connect_tcp(self, host: str, *args: Any, **more: Any) -> httpcore.NetworkStream:
        self.to.append(host)
        return super().connect_tcp("127.0.0.1", *args, **more)


class Net:
    """The network that a gateway of a test sees."""

    def __init__(self, names: Names, dialled: Dialled) -> None:
        self.names = names
        self.dialled = dialled


def ask(client: FlaskClient, headers: Headers, url: str) -> Any:
    return client.post(FACE, headers=headers, json={"url": url, "delete": True})
