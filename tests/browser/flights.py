"""How many pictures are on their way at once."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Request

DETECT = re.compile(r"/api/v1/detect\?")


class Flights:
    """Counts requests that are under way."""

    def __init__(self, page: Page) -> None:
        self.begun = self.done = self.most = 0
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    def _begin(self, request: Request) -> None:
        if DETECT.search(request.url):
            self.begun += 1
            self.most = max(self.most, self.begun - self.done)

    def _end(self, request: Request) -> None:
        if DETECT.search(request.url):
            self.done += 1
