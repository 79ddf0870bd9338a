"""What a page should never give reason for: errors, refused scripts, requests to other hosts."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, Error, Page, Request

_ANSWERED = "Failed to load resource"
"""How Chromium notes answers of 400 and above, which are none of the page's faults."""


class Complaints:
    """Collects them; ``found`` must be empty in the end."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._origin = ""

    def listen(self, page: Page, origin: str) -> None:
        self._origin = origin
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("request", self._request)

    def wait_for(self, count: int, page: Page) -> None:
        """Return once so many were heard: the browser tells of them after what they are about."""
        while len(self.found) < count:
            page.wait_for_event("console")

    def _console(self, message: ConsoleMessage) -> None:
        # Violations of the Content-Security-Policy are among the errors.
        if message.type in ("error", "warning") and not message.text.startswith(_ANSWERED):
            self.found.append(message.text)

    def _error(self, error: Error) -> None:
        self.found.append(str(error))

    def _request(self, request: Request) -> None:
        ours = (f"{self._origin}/", f"blob:{self._origin}/", "about:blank")
        if not request.url.startswith(ours):
            self.found.append(f"asked {request.url}")
