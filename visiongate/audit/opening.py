"""The audit log that the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from visiongate.audit.log import AuditFile
from visiongate.audit.recorder import Audit

if TYPE_CHECKING:
    from visiongate.settings import Settings

__all__ = ["audit_path", "open_audit"]

_NAME = "audit.log"


def audit_path(settings: Settings) -> Path:
    """Return where the audit log lies, or would if it were on."""
    return Path(settings.audit_file or settings.data_dir / _NAME).expanduser()


def open_audit(settings: Settings) -> Audit:
    """Return the audit log; no file is made before there is something to write."""
    if settings.audit == "off":
        return Audit(None)
    file = AuditFile(
        audit_path(settings),
        max_bytes=settings.audit_max_bytes,
        keep_files=settings.audit_keep_files,
    )
    return Audit(file, required=settings.audit_on_failure == "refuse")
