"""The page as its users see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import FilePayload, Locator, Page, Response, expect

from tests.examples.real_gateway import PASSWORD, USER, RealGateway

Report = dict[str, Any]


class Playground:
    """Finds things by what they are called on the page, not by how they are made."""

    def __init__(self, page: Page, gateway: RealGateway) -> None:
        self.page = page
        self.gateway = gateway
        self.status = page.get_by_role("status")
        self.problem = page.get_by_role("alert")
        self.username = page.get_by_label("User name")
        self.password = page.get_by_label("Password")
        self.enter = page.get_by_role("button", name="Log in")
        self.choose = page.get_by_role("button", name="Choose pictures")
        self.camera = page.get_by_role("button", name="Use the camera")
        self.stage = page.locator("#stage")
        self.picture = page.locator("#shown")
        self.layer = page.get_by_role("group", name="Boxes over the picture")
        self.boxes = self.layer.get_by_role("button")
        self.rows = page.get_by_role("table").locator("tbody").get_by_role("row")
        self.times = page.locator("#times")
        self.curl = page.locator("#curl")
        self.json = page.locator("#json")
        self.ready: tuple[Path | FilePayload, ...] = ()
        """What is chosen in the next dialogue."""
        # From the beginning: the browser opens a real one until it has been told of this.
        page.on("filechooser", lambda dialogue: dialogue.set_files(list(self.ready)))  # type: ignore[arg-type]

    def open(self) -> None:
        self.page.goto(f"{self.gateway.address}/")

    def log_in(self, username: str = USER, password: str = PASSWORD) -> None:
        self.username.fill(username)
        self.password.fill(password)
        self.enter.click()
        expect(self.choose).to_be_visible()

    def log_out(self) -> None:
        """Log out, and wait for the gateway's word: it comes late, and is said over what comes."""
        self.page.get_by_role("button", name="Log out").click()
        expect(self.status).to_contain_text("Logged out")

    def detector(self, name: str) -> Locator:
        return self.page.get_by_role("checkbox", name=name, exact=True)

    def give(self, *pictures: Path | FilePayload) -> None:
        """Choose files, as in the dialogue that the button opens."""
        self.ready = pictures
        self.choose.click()

    def asked(self, picture: Path | FilePayload) -> Report:
        """Give one picture and return the gateway's answer, once the page shows both."""
        with self.page.expect_response(is_detection) as answer:
            self.give(picture)
        assert answer.value.status == 200, answer.value.text()
        expect(self.status).to_contain_text("ound")
        # Decoded, so that the next paint has it; what cannot be shown is shown otherwise.
        self.picture.evaluate("picture => picture.decode().catch(() => {})")
        report: Report = answer.value.json()
        return report

    def shown_json(self) -> Report:
        report: Report = json.loads(self.json.inner_text())
        return report

    def api(self, picture: bytes, query: str) -> Report:
        """Ask the gateway without the page."""
        answer = requests.post(
            f"{self.gateway.address}/api/v1/detect?{query}",
            data=picture,
            headers={"Content-Type": "image/*", "Authorization": f"Bearer {self.token()}"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        report: Report = answer.json()
        return report

    def token(self) -> str:
        """Log in beside the page."""
        credentials = {"username": USER, "password": PASSWORD}
        answer = requests.post(
            f"{self.gateway.address}/api/v1/login", json=credentials, timeout=60
        ).json()
        return str(answer["access_token"])


def is_detection(response: Response) -> bool:
    return "/api/v1/detect?" in response.url


def without_times(report: Report) -> Report:
    """Return what two answers to the same question have in common."""
    detectors = [{**one, "milliseconds": None} for one in report["detectors"]]
    return {**report, "detectors": detectors}


def sides(picture: Locator, boxes: Locator) -> list[tuple[float, float, float, float]]:
    """Return left, top, right and bottom of a picture, then of each box, at one moment."""
    handles = boxes.element_handles()
    measured: list[list[float]] = picture.evaluate(
        """(picture, boxes) => [picture, ...boxes].map((one) => {
            const {left, top, right, bottom} = one.getBoundingClientRect();
            return [left, top, right, bottom];
        })""",
        handles,
    )
    return [(left, top, right, bottom) for left, top, right, bottom in measured]
