"""The audit log: who logged in, what was refused, who changed accounts and keys, and who had
people's appearance judged. JSON lines, only ever added to; ``python -m visiongate.audit``
searches them.
"""

from visiongate.audit.events import EventName
from visiongate.audit.log import AuditFile
from visiongate.audit.opening import open_audit
from visiongate.audit.recorder import Audit, AuditState, Origin

__all__ = ["Audit", "AuditFile", "AuditState", "EventName", "Origin", "open_audit"]
