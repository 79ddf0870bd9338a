"""A real gateway, and a video with a face whose way is known."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from tests.examples.moving_face import FRAMES, RATE, SIZE, frame
from tests.examples.real_gateway import RealGateway


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway that answers; its access tokens live for five seconds.

    Short, so that clients outlive them; long, so that a busy machine uses a new one in time.
    """
    gateway = RealGateway(tmp_path_factory.mktemp("real") / "gateway", ACCESS_TOKEN_SECONDS="5")
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.kill()


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photograph that moves and grows, as a video."""
    path = tmp_path_factory.mktemp("video") / "hopper.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, SIZE)
    for number in range(FRAMES):
        writer.write(frame(number))
    writer.release()
    return path


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
