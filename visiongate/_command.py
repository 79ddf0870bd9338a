"""How every command line of ours ends early: a reader who has seen enough, and Ctrl+C."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps

__all__ = ["command"]

_Main = Callable[[Sequence[str] | None], int]
_INTERRUPTED = 130
"""What a shell gives for a program that Ctrl+C ended: 128 and the signal's number."""


def command(main: _Main) -> Callable[..., int]:
    """Wrap a command line's ``main``: exit status 1 for a closed pipe, 130 for Ctrl+C."""

    @wraps(main)
    def run(arguments: Sequence[str] | None = None) -> int:
        try:
            status = main(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader (head, say) has seen enough; keep Python from complaining at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except KeyboardInterrupt:
            sys.stderr.write("\nInterrupted.\n")
            return _INTERRUPTED
        return status

    return run
