"""Record what happened, by whom, from where: the one object that the rest of the gateway knows."""

from __future__ import annotations

import getpass
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from visiongate.audit.events import Event, EventName, Outcome, Via, event_line
from visiongate.audit.log import AuditFile
from visiongate.audit.repeats import WINDOW_SECONDS, Repeats
from visiongate.errors import AuditUnavailable
from visiongate.files import explain

__all__ = ["Audit", "AuditState", "Origin", "at_command_line"]

AuditState: TypeAlias = Literal["on", "off", "failing"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who does something now, and by which way."""

    via: Via
    actor: str | None = None
    address: str | None = None
    request_id: str | None = None


class _Refusal(NamedTuple):
    name: EventName
    reason: str | None = None
    actor: str | None = None
    address: str | None = None


def at_command_line() -> Origin:
    """Return the account of this machine that runs the program."""
    try:
        return Origin("command line", getpass.getuser())
    except (OSError, KeyError, ImportError):  # an account without a name
        return Origin("command line")


class Audit:
    """The audit log, or none (``file`` None). Thread-safe.

    Where it cannot be written, that is logged once, told by ``state``, and counted by
    ``on_failure``; work goes on, except that ``required`` refuses uses of sensitive detectors.
    ``origin`` tells who does what is being recorded; ``clock`` gives Unix seconds.
    """

    def __init__(
        self,
        file: AuditFile | None,
        *,
        required: bool = False,
        origin: Callable[[], Origin] = at_command_line,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._required = required
        self._clock = clock
        self._failing = False
        self._lost = 0
        self._refusals = Repeats(_Refusal(EventName.REQUEST_REFUSED))
        self.origin = origin
        self.on_failure: Callable[[], None] = lambda: None

    @property
    def state(self) -> AuditState:
        """Whether events are recorded; ``failing`` since the last one could not be."""
        if self._file is None:
            return "off"
        return "failing" if self._failing else "on"

    def record(
        self,
        name: EventName,
        *,
        user: str | None = None,
        outcome: Outcome = "ok",
        reason: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> bool:
        """Write an event; return whether it is written, or need not be."""
        if self._file is None:
            return True
        origin = self.origin()
        return self._write(
            Event(
                name,
                self._clock(),
                origin.via,
                user=user,
                actor=origin.actor,
                address=origin.address,
                outcome=outcome,
                reason=reason,
                request_id=origin.request_id,
                detail=detail or {},
            )
        )

    def record_sensitive(self, user: str, judged: Mapping[str, int]) -> None:
        """Record how many faces, or pictures, each sensitive detector has judged.

        Raises:
            AuditUnavailable: that was not possible, and is required.
        """
        written = self.record(EventName.SENSITIVE_USE, user=user, detail={"judged": judged})
        if self._required and not written:
            raise AuditUnavailable(
                "The use of a sensitive detector could not be recorded, so it is not answered. "
                "The operator can mend the audit log (the gateway's log says what is wrong), or "
                "go on without (VISIONGATE_AUDIT_ON_FAILURE=go_on)."
            )

    def record_refusal(
        self, name: EventName, reason: str, detail: Mapping[str, object] | None = None
    ) -> None:
        """Write that a request was refused; repetitions are counted, and told once a minute."""
        if self._file is None:
            return
        self._tell_repeated(self._clock())
        origin = self.origin()
        refusal = _Refusal(name, reason, origin.actor, origin.address)
        if self._refusals.is_first(refusal, self._clock()):
            self.record(name, user=origin.actor, outcome="refused", reason=reason, detail=detail)

    def close(self) -> None:
        """Write what was counted and not yet told."""
        self._tell_repeated(math.inf)

    def _tell_repeated(self, now: float) -> None:
        for refusal, more in self._refusals.due(now):
            self._write(
                Event(
                    refusal.name,
                    self._clock(),
                    "http",
                    user=refusal.actor,
                    actor=refusal.actor,
                    address=refusal.address,
                    outcome="refused",
                    reason=refusal.reason,
                    detail={"repeated": more, "within_seconds": WINDOW_SECONDS},
                )
            )

    def _write(self, event: Event) -> bool:
        assert self._file is not None
        try:
            self._file.append(event_line(event))
        except OSError as error:
            self._lost += 1
            if not self._failing:
                self._failing = True
                _log.error(
                    "the audit log cannot be written: %s %s was not recorded, nor will be what "
                    "follows until this is mended.",
                    explain(error, self._file.path),
                    event.name.value,
                )
            self.on_failure()
            return False
        if self._failing:
            self._failing = False
            _log.warning("the audit log is written again; %d event(s) are missing", self._lost)
            self._lost = 0
        return True
