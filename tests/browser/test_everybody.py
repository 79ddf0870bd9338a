"""By keyboard alone, on a phone, in the dark, and for those who hear the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.playground import Playground, is_detection
from tests.examples.real_gateway import PASSWORD, USER


def test_by_keyboard_alone(entrance: Playground, portrait: Path) -> None:
    page = entrance.page
    keys = page.keyboard
    expect(entrance.username).to_be_focused()
    keys.type(USER)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(entrance.choose).to_be_focused()
    entrance.ready = (portrait,)
    with page.expect_response(is_detection):
        keys.press("Enter")
    expect(entrance.rows).to_have_count(1)

    reach(entrance, "#boxes button")
    expect(entrance.rows.first).to_contain_class("active")
    reach(entrance, "#detector-gender")
    keys.press("Space")
    expect(entrance.rows.first).to_contain_text("gender: female")
    reach(entrance, "#confidence")
    with page.expect_response(is_detection) as answer:
        keys.press("Home")
    assert "min_confidence=0&" in answer.value.url
    expect(entrance.rows).to_have_count(len(answer.value.json()["detections"]))
    reach(entrance, "#rows button")
    expect(entrance.boxes.last).to_be_visible()
    reach(entrance, "#copy-curl")
    keys.press("Enter")
    expect(entrance.status).to_have_text("Copied.")
    reach(entrance, "#logout")
    keys.press("Enter")
    expect(entrance.status).to_contain_text("Logged out")
    expect(entrance.password).to_be_focused()


def reach(playground: Playground, what: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(60):
        if playground.page.evaluate("what => document.activeElement.matches(what)", what):
            return
        playground.page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not lead to {what}")


def test_arrow_keys_go_from_box_to_box_and_from_row_to_row(
    playground: Playground, portrait: Path
) -> None:
    slider = playground.page.get_by_label("At least")
    playground.asked(portrait)
    slider.focus()
    with playground.page.expect_response(is_detection) as answer:
        slider.press("Home")  # many faces, most of them none
    count = len(answer.value.json()["detections"])
    assert count > 2
    expect(playground.rows).to_have_count(count)
    numbers = playground.rows.get_by_role("button")
    numbers.first.focus()
    playground.page.keyboard.press("ArrowDown")
    expect(numbers.nth(1)).to_be_focused()
    expect(playground.layer.get_by_role("button", name=re.compile("^2: face"))).to_contain_class(
        "active"
    )
    playground.page.keyboard.press("End")
    expect(numbers.last).to_be_focused()
    playground.page.keyboard.press("ArrowDown")
    expect(numbers.first).to_be_focused()
    playground.layer.get_by_role("button", name=re.compile("^1: face")).focus()
    playground.page.keyboard.press("ArrowRight")
    expect(playground.layer.get_by_role("button", name=re.compile("^2: face"))).to_be_focused()
    expect(playground.rows.nth(1)).to_contain_class("active")


def test_the_skip_link_leads_to_the_playground(entrance: Playground) -> None:
    skip = entrance.page.get_by_role("link", name="Skip to the playground")
    skip.focus()
    expect(skip).to_be_in_viewport()
    skip.press("Enter")
    expect(entrance.page.get_by_role("main")).to_be_focused()


def test_on_a_phone_nothing_is_wider_than_the_screen(
    playground: Playground, portrait: Path
) -> None:
    page = playground.page
    page.set_viewport_size({"width": 360, "height": 740})
    playground.asked(portrait)
    playground.detector("gender").check()
    expect(playground.rows.first).to_contain_text("gender: female")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for button in page.get_by_role("button").all():
        if button.is_visible() and button.get_attribute("aria-label") is None:
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 32
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(
    playground: Playground, portrait: Path, scheme: str
) -> None:
    """Hold every visible text to WCAG's contrast of 4.5 (level AA)."""
    page = playground.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    playground.give(portrait)
    expect(playground.rows).to_have_count(1)
    playground.detector("classify").check()  # whose reason is a warning
    expect(page.get_by_text("classify gave no answer:")).to_be_visible()
    playground.give({"name": "no.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(playground.problem).to_be_visible()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(15, 20, 25)") == (scheme == "dark")
    faint = page.evaluate(CONTRASTS)
    assert [one for one in faint if one["contrast"] < 4.5] == []
    assert len(faint) > 30


CONTRASTS = """() => {
  // A canvas turns every notation of a colour into four bytes.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const bytes = (layers) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of layers) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map(
      (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest("button:disabled, .unseen, .skip, noscript")) continue;
    const grounds = [];
    for (let at = node; at; at = at.parentElement) {
      grounds.unshift(getComputedStyle(at).backgroundColor);
    }
    const behind = bytes(grounds);
    const text = bytes([...grounds, getComputedStyle(node).color]);
    const [low, high] = [luminance(behind), luminance(text)].sort((a, b) => a - b);
    found.push({text: walker.currentNode.data.trim(), contrast: (high + 0.05) / (low + 0.05)});
  }
  return found;
}"""


def test_everything_has_a_name_for_those_who_hear_the_page(
    playground: Playground, portrait: Path
) -> None:
    playground.asked(portrait)
    page = playground.page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, img, video, table, section, pre")]
            .filter((node) => node.checkVisibility() && !node.ariaHidden)
            .filter((node) => !(
                node.ariaLabel || node.getAttribute("aria-labelledby") || node.textContent.trim()
                || node.alt || (node.alt === "" && node.closest("h1, .thumbnail"))
                || node.labels?.length || node.caption))
            .map((node) => node.outerHTML)"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))
    expect(page.get_by_role("table", name="What was found")).to_be_visible()
    expect(page.get_by_role("columnheader")).to_have_count(4)
    expect(page.get_by_role("rowheader")).to_have_count(1)
    expect(playground.rows.get_by_role("button")).to_have_accessible_name(
        playground.boxes.first.get_attribute("aria-label") or ""
    )
