"""Which detectors, from which confidence on, kept or not; and what stands in the way of each."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Route, expect

from tests.browser.playground import Playground, is_detection
from tests.examples.real_gateway import RealGateway


def test_a_detector_that_is_switched_off_says_so(playground: Playground) -> None:
    expect(playground.detector("object")).to_be_disabled()
    expect(playground.detector("object")).to_have_accessible_description(
        re.compile("The operator has switched it off.$")
    )


def test_a_detector_of_others_says_so(entrance: Playground, gateway: RealGateway) -> None:
    gateway.add_user("cam1", "--detectors", "classify")
    entrance.log_in("cam1")
    expect(entrance.detector("face")).to_be_disabled()
    expect(entrance.detector("face")).not_to_be_checked()
    expect(entrance.page.locator(".detector", has_text="Faces of people")).to_contain_text(
        "Your account may not use it; an admin can change that."
    )
    expect(entrance.detector("classify")).to_be_enabled()


def test_a_detector_without_weights_says_why(playground: Playground, portrait: Path) -> None:
    playground.asked(portrait)
    playground.detector("face").uncheck()
    expect(playground.problem).to_contain_text("Pick at least one detector.")
    expect(playground.curl).to_have_text("Pick at least one detector.")
    playground.detector("classify").check()
    expect(playground.problem).to_contain_text("model_unavailable")
    reason = playground.problem.locator("p").first.inner_text()
    expect(playground.page.locator(".detector", has_text="classify")).to_contain_text(
        f"Not available: {reason}"
    )
    expect(playground.detector("classify")).to_be_focused()
    playground.detector("face").check()
    expect(playground.rows).to_have_count(1)
    expect(playground.page.get_by_text("classify gave no answer:")).to_be_visible()


def test_sensitive_detectors_show_their_limits_where_they_are_picked(
    playground: Playground, portrait: Path
) -> None:
    gender = playground.page.locator(".detector", has_text="Apparent gender")
    expect(playground.detector("gender")).not_to_be_checked()
    expect(gender).to_contain_text("Judges how people look, and errs.")
    playground.asked(portrait)
    with playground.page.expect_response(is_detection) as answer:
        playground.detector("gender").check()
    expect(gender.get_by_role("list")).to_be_visible()
    card = playground.page.evaluate("document.querySelectorAll('.card-text li').length")
    assert card > 0
    (face,) = (one for one in answer.value.json()["detections"] if one["attributes"])
    assert face["attributes"]["gender"]["label"] == "female"
    expect(playground.rows.last).to_contain_text("gender: female 90.0 %")
    expect(playground.layer.get_by_text("female 90.0 %").first).to_be_visible()


def test_the_confidence_is_asked_for(playground: Playground, portrait: Path) -> None:
    report = playground.asked(portrait)
    found = report["detections"][0]["confidence"]
    own = playground.page.get_by_label("own threshold")
    slider = playground.page.get_by_label("At least")
    expect(own).to_be_checked()
    expect(slider).to_have_attribute("aria-valuetext", re.compile("own$"))
    slider.focus()
    with playground.page.expect_response(is_detection) as answer:
        slider.press("End")
    assert "min_confidence=1&" in answer.value.url
    expect(own).not_to_be_checked()
    expect(slider).to_have_attribute("aria-valuetext", "100 %")
    expect(playground.rows).to_have_count(0 if found < 1 else 1)
    expect(playground.curl).to_contain_text("min_confidence=1&")
    with playground.page.expect_response(is_detection) as answer:
        own.check()
    assert "min_confidence" not in answer.value.url
    expect(playground.rows).to_have_count(1)


def test_pictures_are_kept_only_where_that_is_picked(
    playground: Playground, portrait: Path
) -> None:
    gateway = playground.gateway
    playground.asked(portrait)
    assert gateway.kept == []
    assert playground.shown_json()["retained"] is None
    expect(playground.curl).to_contain_text("delete=true")
    playground.page.get_by_label("Let the gateway keep the picture").check()
    expect(playground.page.get_by_text("The gateway keeps this picture until")).to_be_visible()
    expect(playground.curl).not_to_contain_text("delete=true")
    assert len(gateway.kept) == 2  # and its copy with boxes


def test_the_question_may_change_while_it_is_asked(playground: Playground, portrait: Path) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    playground.page.route("**/api/v1/detect?detectors=face&*", hold)
    with playground.page.expect_request("**/api/v1/detect?detectors=face&*"):
        playground.give(portrait)
    expect(playground.status).to_contain_text("Asking about grace_hopper.jpg")
    playground.detector("gender").check()
    expect(playground.rows.last).to_contain_text("gender: female")
    assert len(held) == 1  # and was given up
    expect(playground.curl).to_contain_text("detectors=face,gender")
