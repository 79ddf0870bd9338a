"""Live mode, with the camera that Chromium pretends to have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.flights import DETECT, Flights
from tests.browser.playground import Playground

# Time enough for several frames: one is sent at most with each paint.
THIRTY_PAINTS = """async () => {
    for (let paint = 0; paint < 30; paint++) await new Promise(requestAnimationFrame);
}"""


@pytest.fixture
def filming(playground: Playground) -> Iterator[Playground]:
    """The playground with its camera on."""
    playground.camera.click()
    expect(playground.times).to_contain_text("answers a second")
    yield playground
    stop = playground.page.get_by_role("button", name="Stop the camera")
    if stop.is_visible():
        stop.click()


def test_frames_are_sent_as_answers_come_back(playground: Playground) -> None:
    flights = Flights(playground.page)
    playground.camera.click()
    expect(playground.page.locator("video")).to_be_visible()
    for _ in range(5):
        with playground.page.expect_response(DETECT) as answer:
            pass
        assert answer.value.ok
    assert flights.begun >= 5
    assert flights.most == 1
    playground.page.get_by_role("button", name="Stop the camera").click()
    expect(playground.camera).to_be_visible()


def test_frames_are_never_kept(filming: Playground) -> None:
    with filming.page.expect_response(DETECT) as answer:
        filming.page.get_by_label("Let the gateway keep the picture").check()
    with filming.page.expect_response(DETECT) as answer:
        pass
    assert "delete=true" in answer.value.url
    assert answer.value.json()["retained"] is None
    expect(filming.curl).to_contain_text("file=@frame.jpg")
    expect(filming.curl).to_contain_text("delete=true")


def test_boxes_lie_over_the_cameras_picture(playground: Playground) -> None:
    face = {
        "detector": "face",
        "label": "face",
        "confidence": 0.5,
        "box": [240, 270, 480, 540],
        "landmarks": [],
        "attributes": {},
        "probabilities": {},
    }
    image = {"width": 960, "height": 540, "format": "JPEG", "orientation_applied": 1, "frames": 1}
    report = {
        "image": image,
        "detections": [face],
        "detectors": [],
        "warnings": [],
        "retained": None,
    }

    playground.page.route(DETECT, lambda route: route.fulfill(json=report))
    playground.camera.click()
    expect(playground.boxes).to_have_count(1)
    # Both in one moment: boxes are drawn anew with every answer.
    video, box = playground.page.evaluate(
        """() => ["video", "#boxes button"].map((selector) => {
            const {x, y, width, height} = document.querySelector(selector).getBoundingClientRect();
            return [x, y, width, height];
        })"""
    )
    x, y, width, height = video
    assert box == pytest.approx([x + width / 4, y + height / 2, width / 4, height / 2], abs=1)
    assert width / height == pytest.approx(16 / 9, rel=0.01)
    playground.page.get_by_role("button", name="Stop the camera").click()
    expect(playground.boxes).to_have_count(0)


def test_what_was_found_before_is_not_drawn_over_the_camera(
    playground: Playground, portrait: Path
) -> None:
    playground.give(portrait)
    expect(playground.boxes).to_have_count(1)
    playground.page.route(DETECT, lambda _: None)  # the first frame's answer never comes
    playground.camera.click()
    expect(playground.page.locator("video")).to_be_visible()
    expect(playground.boxes).to_have_count(0)
    expect(playground.rows).to_have_count(0)
    expect(playground.json).to_be_empty()
    expect(playground.curl).to_contain_text("file=@frame.jpg")
    playground.page.get_by_role("button", name="Stop the camera").click()
    expect(playground.boxes).to_have_count(1)


def test_the_detectors_can_be_changed_meanwhile(filming: Playground) -> None:
    filming.detector("gender").check()
    with filming.page.expect_response(re.compile("detectors=face,gender")) as answer:
        pass
    assert answer.value.ok
    filming.detector("gender").uncheck()
    filming.detector("face").uncheck()
    expect(filming.problem).to_contain_text("Pick at least one detector.")
    expect(filming.camera).to_be_visible()


def test_stopping_switches_the_camera_off(filming: Playground) -> None:
    flights = Flights(filming.page)
    filming.page.get_by_role("button", name="Stop the camera").click()
    expect(filming.status).to_have_text("The camera is off.")
    assert filming.page.evaluate("document.querySelector('video').srcObject") is None
    expect(filming.page.get_by_text("Drop pictures here")).to_be_visible()
    # Frames sent before the click may be told of late: only what begins from now on counts.
    filming.page.evaluate(THIRTY_PAINTS)
    begun = flights.begun
    filming.page.evaluate(THIRTY_PAINTS)
    assert flights.begun == begun


def test_logging_out_switches_the_camera_off(filming: Playground) -> None:
    filming.page.get_by_role("button", name="Log out").click()
    expect(filming.status).to_contain_text("Logged out")
    assert filming.page.evaluate("document.querySelector('video').srcObject") is None


def test_a_gateway_that_is_busy_is_asked_again_when_it_said(playground: Playground) -> None:
    def refuse(route: Route) -> None:
        problem = {"detail": "Too many requests are waiting.", "code": "overloaded"}
        route.fulfill(status=503, json=problem, headers={"Retry-After": "50"})

    playground.page.clock.install()
    playground.page.route(DETECT, refuse, times=1)
    playground.camera.click()
    expect(playground.problem).to_contain_text("Too many requests are waiting.")
    expect(playground.problem).to_contain_text("It is asked again in 50 s.")
    playground.page.clock.run_for(51_000)
    expect(playground.problem).to_be_hidden()
    expect(playground.times).to_contain_text("answers a second")


@pytest.mark.parametrize(("status", "headers"), [(500, {}), (429, {"Retry-After": "3600"})])
def test_an_answer_that_waiting_cannot_help_ends_it(
    playground: Playground, status: int, headers: dict[str, str]
) -> None:
    problem = {"detail": "A fault.", "code": "some_code"}
    playground.page.route(
        DETECT, lambda route: route.fulfill(status=status, json=problem, headers=headers)
    )
    playground.camera.click()
    expect(playground.problem).to_contain_text("A fault.")
    expect(playground.camera).to_be_visible()


def refuse(page: Page, name: str) -> None:
    """Have the browser answer as it does where it gives no camera."""
    page.add_init_script(
        f"""navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException("no", "{name}"));"""
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "The browser may not use the camera."),
        ("NotFoundError", "No camera was found."),
        ("NotReadableError", "another program may have it"),
    ],
)
def test_no_camera_is_said_in_plain_words(entrance: Playground, name: str, words: str) -> None:
    refuse(entrance.page, name)
    entrance.open()
    entrance.log_in()
    entrance.camera.click()
    expect(entrance.problem).to_contain_text(words)
    expect(entrance.camera).to_be_visible()


def test_an_insecure_page_is_said_in_plain_words(entrance: Playground) -> None:
    entrance.page.add_init_script("delete Navigator.prototype.mediaDevices")
    entrance.open()
    entrance.log_in()
    entrance.camera.click()
    expect(entrance.problem).to_contain_text("only to pages over HTTPS, or on localhost")
