"""What is sent on a connection leaves at once, together, or when the client takes it."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator

import pytest

from visiongate.web.serving.patient_socket import PatientSocket

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")

LARGE = bytes(range(256)) * 16_384


@pytest.fixture
def wires() -> Iterator[tuple[PatientSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with PatientSocket(fileno=ours.detach()) as patient, theirs:
        yield patient, theirs


def taken(wire: socket.socket) -> bytes:
    """Return all that has come."""
    pieces = []
    try:
        while piece := wire.recv(1_000_000):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)


def test_each_piece_leaves_at_once(wires: tuple[PatientSocket, socket.socket]) -> None:
    patient, theirs = wires
    patient.sendall(b"head ")
    assert taken(theirs) == b"head "
    assert patient.send(b"body") == 4
    assert taken(theirs) == b"body"
    assert patient.unsent_bytes == 0


def test_pieces_leave_together_where_they_shall(
    wires: tuple[PatientSocket, socket.socket],
) -> None:
    patient, theirs = wires
    patient.sends_together = True
    for piece in (b"head ", b"", b"body"):
        patient.sendall(piece)
    assert taken(theirs) == b""
    assert patient.unsent_bytes == 9
    patient.send_rest()
    assert theirs.recv(100) == b"head body"
    assert patient.unsent_bytes == 0


def test_whatever_else_comes_waiting_ends_at_its_time(
    wires: tuple[PatientSocket, socket.socket],
) -> None:
    patient, theirs = wires
    theirs.sendall(b"there already")
    assert patient.read_until(5, time.monotonic()) == b""
    assert patient.read_until(5, time.monotonic() + 60) == b"there"
    assert patient.read_until(99, time.monotonic() + 60) == b" already"
    assert patient.read_until(99, time.monotonic() + 0.01) == b""
    theirs.close()
    assert patient.read_until(99, time.monotonic() + 60) == b""


def test_a_large_answer_waits_for_nothing(wires: tuple[PatientSocket, socket.socket]) -> None:
    patient, theirs = wires
    patient.sends_together = True
    patient.sendall(b"head ")
    patient.sendall(LARGE)
    assert taken(theirs).startswith(b"head \x00\x01\x02")


def test_what_is_not_taken_is_sent_later_in_order(
    wires: tuple[PatientSocket, socket.socket],
) -> None:
    patient, theirs = wires
    pieces = [b"head ", LARGE, b"", b"tail", *[b"%d," % number for number in range(200)], b""]
    for piece in pieces:
        patient.sendall(piece)
    assert patient.unsent_bytes > 0
    come = taken(theirs)
    while patient.unsent_bytes:
        patient.send_rest()
        come += taken(theirs)
    assert come == b"".join(pieces)


def test_a_client_that_is_gone_is_told_of(wires: tuple[PatientSocket, socket.socket]) -> None:
    patient, theirs = wires
    theirs.close()
    with pytest.raises(OSError, match="pipe"):
        patient.sendall(b"head ")
    assert patient.unsent_bytes == 5, "whoever looks would take it for sent"


def test_more_than_any_answer_has_is_refused(
    wires: tuple[PatientSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, _ = wires
    monkeypatch.setattr("visiongate.web.serving.patient_socket._MOST_UNSENT", len(LARGE))
    patient.sendall(LARGE)
    with pytest.raises(ConnectionResetError, match="does not take"):
        patient.sendall(LARGE)
