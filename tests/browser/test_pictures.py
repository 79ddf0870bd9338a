"""Pictures in, boxes out: at their right places, tied to their rows, as the API answers them."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, expect

from tests.browser.flights import Flights
from tests.browser.playground import Playground, Report, is_detection, sides, without_times

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How EXIF's orientations are turned upright."""
BACK = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""How upright pictures are stored under an orientation, where that is not its own opposite."""


def stored(portrait: Path, kind: str, orientation: int = 1) -> FilePayload:
    """Return the portrait, stored in ``kind`` as a camera that was held otherwise stores it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    with Image.open(portrait) as opened:
        picture = opened.convert("RGB")
        if orientation > 1:
            picture = picture.transpose(BACK.get(orientation, UPRIGHT[orientation]))
        picture.save(buffer, kind, exif=exif)
    name = f"portrait.{kind.lower()}"
    return {"name": name, "mimeType": f"image/{kind.lower()}", "buffer": buffer.getvalue()}


def expect_boxes_where(playground: Playground, report: Report) -> None:
    """Compare what is drawn with what was answered, in pixels of the page."""
    image = report["image"]
    expect(playground.boxes).to_have_count(len(report["detections"]))
    for number, found in enumerate(report["detections"], 1):
        box = playground.layer.get_by_role("button", name=f"{number}: {found['label']}")
        expect_box_where(playground.picture, box, found["box"], image)


def expect_box_where(
    picture: Locator, box: Locator, where: list[float], image: dict[str, float]
) -> None:
    (left, top, right, bottom), drawn = sides(picture, box)
    assert (right - left) / (bottom - top) == pytest.approx(
        image["width"] / image["height"], rel=0.01
    )
    scale = (right - left) / image["width"]
    x1, y1, x2, y2 = (scale * side for side in where)
    assert drawn == pytest.approx((left + x1, top + y1, left + x2, top + y2), abs=1)


def appearance(picture: Locator) -> np.ndarray:
    """Return what the page shows of a picture, 64 pixels wide and high."""
    with Image.open(BytesIO(picture.screenshot())) as shot:
        return np.asarray(shot.convert("RGB").resize((64, 64)), float)


def test_boxes_are_drawn_where_the_api_says(playground: Playground, portrait: Path) -> None:
    report = playground.asked(portrait)
    (face,) = report["detections"]
    assert face["label"] == "face"
    expect_boxes_where(playground, report)
    playground.page.set_viewport_size({"width": 600, "height": 500})
    playground.page.wait_for_function("innerWidth === 600")
    expect_boxes_where(playground, report)


def test_the_page_shows_what_the_api_answers(playground: Playground, portrait: Path) -> None:
    playground.asked(portrait)
    shown = playground.shown_json()
    answered = playground.api(portrait.read_bytes(), "detectors=face&delete=true")
    assert without_times(shown) == without_times(answered)
    row = playground.rows.first
    (face,) = answered["detections"]
    expect(row).to_contain_text(f"{100 * face['confidence']:.1f} %")
    expect(row).to_contain_text(" ".join(str(round(side)) for side in face["box"]))
    expect(playground.times).to_contain_text("round trip")
    expect(playground.times).to_contain_text(re.compile("512 . 600 JPEG"))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_turned_pictures_are_shown_upright_with_their_boxes(
    playground: Playground, portrait: Path, kind: str
) -> None:
    with Image.open(portrait) as opened:
        upright = np.asarray(opened.convert("RGB").resize((64, 64)), float)
    for orientation in range(1, 9):
        report = playground.asked(stored(portrait, kind, orientation))
        assert report["image"]["orientation_applied"] == orientation
        assert report["image"]["height"] == 600
        expect_boxes_where(playground, report)
        assert np.abs(appearance(playground.picture) - upright).mean() < 12, orientation


def test_a_picture_that_loads_after_its_answer_keeps_its_shape(
    playground: Playground, portrait: Path
) -> None:
    report = playground.asked(stored(portrait, "PNG", 6))
    playground.picture.evaluate(
        """(picture) => {
            // As browsers see it that know no orientation in this format.
            Object.defineProperty(picture, "naturalWidth", {value: 600});
            Object.defineProperty(picture, "naturalHeight", {value: 512});
            picture.dispatchEvent(new Event("load"));
        }"""
    )
    expect_boxes_where(playground, report)


def test_a_format_that_the_browser_cannot_show_still_gets_its_boxes(
    playground: Playground, portrait: Path
) -> None:
    report = playground.asked(stored(portrait, "TIFF", 6))
    expect(playground.page.get_by_text("This browser cannot show this file.")).to_be_hidden()
    expect(playground.boxes).to_have_count(1)
    assert (report["image"]["width"], report["image"]["height"]) == (512, 600)
    sheet, (found,) = playground.page.locator("#sheet"), report["detections"]
    expect_box_where(sheet, playground.boxes, found["box"], report["image"])


def test_pointing_at_a_box_lights_up_its_row_and_the_other_way_round(
    playground: Playground, portrait: Path
) -> None:
    playground.asked(portrait)
    box, row = playground.boxes.first, playground.rows.first
    box.hover()
    expect(row).to_contain_class("active")
    playground.page.mouse.move(1, 1)
    expect(row).not_to_contain_class("active")
    row.hover()
    expect(box).to_contain_class("active")
    playground.page.mouse.move(1, 1)
    box.focus()
    expect(row).to_contain_class("active")
    row.get_by_role("button").focus()
    expect(box).to_contain_class("active")


def test_a_picture_can_be_dropped(playground: Playground, portrait: Path) -> None:
    with playground.page.expect_response(is_detection):
        playground.stage.evaluate(
            """(stage, encoded) => {
                const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([bytes], "dropped.jpg", {type: "image/jpeg"}));
                for (const type of ["dragenter", "dragover", "drop"]) {
                    const given = {dataTransfer, bubbles: true, cancelable: true};
                    stage.dispatchEvent(new DragEvent(type, given));
                }
            }""",
            base64.b64encode(portrait.read_bytes()).decode(),
        )
    expect(playground.rows).to_have_count(1)
    expect(playground.curl).to_contain_text("dropped.jpg")


def test_a_picture_can_be_pasted(playground: Playground, portrait: Path) -> None:
    png = base64.b64encode(stored(portrait, "PNG")["buffer"]).decode()
    playground.page.evaluate(
        """async (encoded) => {
            const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
            const png = new Blob([bytes], {type: "image/png"});
            await navigator.clipboard.write([new ClipboardItem({"image/png": png})]);
        }""",
        png,
    )
    with playground.page.expect_response(is_detection):
        playground.page.keyboard.press("Control+V")
    expect(playground.rows).to_have_count(1)


def test_several_pictures_are_asked_about_one_after_the_other(
    playground: Playground, portrait: Path
) -> None:
    gray = BytesIO()
    Image.new("RGB", (300, 200), "gray").save(gray, "PNG")
    nothing: FilePayload = {"name": "gray.png", "mimeType": "image/png", "buffer": gray.getvalue()}
    flights = Flights(playground.page)
    page = playground.page
    playground.give(stored(portrait, "PNG"), nothing, stored(portrait, "WEBP"))
    strip = page.get_by_role("list", name="Pictures").get_by_role("button")
    expect(strip).to_have_count(3)
    expect(page.get_by_role("button", name="portrait.webp, 1 found")).to_be_visible()
    page.get_by_role("button", name="gray.png, 0 found").click()
    expect(playground.rows).to_have_count(0)
    expect(page.get_by_text("Nothing was found. A lower confidence")).to_be_visible()
    expect(playground.status).to_contain_text("Nothing was found")
    assert playground.shown_json()["image"]["width"] == 300
    page.get_by_role("button", name="portrait.png, 1 found").click()
    expect(playground.rows).to_have_count(1)
    assert flights.begun == 3
    assert flights.most == 1


def test_the_curl_line_does_the_same(
    playground: Playground, portrait: Path, tmp_path: Path
) -> None:
    names = ["plain.jpg", 'it\'s; a "name", with $HOME & `ls`.jpg', "-"]
    for name in names:
        picture = portrait.read_bytes()
        playground.asked({"name": name, "mimeType": "image/jpeg", "buffer": picture})
        (tmp_path / name).write_bytes(picture)
        playground.page.get_by_role("button", name="Copy").first.click()
        expect(playground.status).to_have_text("Copied.")
        line = playground.page.evaluate("navigator.clipboard.readText()")
        assert line == playground.curl.inner_text()
        answer = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": playground.token()},
            capture_output=True,
            check=True,
        )
        assert without_times(json.loads(answer.stdout)) == without_times(playground.shown_json())


def test_no_token_and_no_password_is_in_the_curl_line(
    playground: Playground, portrait: Path
) -> None:
    playground.asked(portrait)
    expect(playground.curl).to_contain_text("Bearer $TOKEN")
    expect(playground.page.locator("body")).not_to_contain_text("eyJ")


def test_the_json_can_be_copied(playground: Playground, portrait: Path) -> None:
    report = playground.asked(portrait)
    playground.page.get_by_role("button", name="Copy").last.click()
    expect(playground.status).to_have_text("Copied.")
    copied = playground.page.evaluate("navigator.clipboard.readText().then(JSON.parse)")
    assert copied == report
