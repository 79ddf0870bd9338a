"""What is hostile stays harmless, and is answered in plain words."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import FilePayload, expect

from tests.browser.complaints import Complaints
from tests.browser.playground import Playground, is_detection

OWNED = "<img src=x onerror=\"document.title='owned'\">"


def named(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def test_a_file_that_is_no_picture(playground: Playground, portrait: Path) -> None:
    playground.asked(portrait)
    playground.give(named("page.jpg", b"<!doctype html><script>document.title = 'owned'</script>"))
    expect(playground.problem).to_contain_text("This looks like an HTML page.")
    expect(playground.problem).to_contain_text("format_unsupported")
    expect(playground.page.get_by_text("This browser cannot show this file.")).to_be_visible()
    expect(playground.boxes).to_have_count(0)
    expect(playground.rows).to_have_count(0)
    expect(playground.json).to_be_empty()
    expect(playground.page).to_have_title("Visiongate: the playground")
    playground.page.get_by_role("button", name="grace_hopper.jpg, 1 found").click()
    expect(playground.problem).to_be_hidden()
    expect(playground.rows).to_have_count(1)


def test_a_picture_that_is_cut_off(playground: Playground, portrait: Path) -> None:
    playground.give(named("cut.jpg", portrait.read_bytes()[:20_000]))
    expect(playground.problem).to_contain_text("picture_corrupt")
    expect(playground.boxes).to_have_count(0)


def test_an_empty_file(playground: Playground) -> None:
    playground.give(named("empty.jpg", b""))
    expect(playground.problem).to_contain_text("The picture has zero bytes.")


def test_a_file_that_is_too_large_is_not_even_sent(playground: Playground) -> None:
    sent: list[str] = []
    playground.page.on("response", lambda one: sent.extend([one.url] * is_detection(one)))
    playground.give(named("huge.jpg", b"\xff\xd8\xff" + bytes(2_000_000)))
    expect(playground.problem).to_contain_text(
        "huge.jpg has 2.0 MB; this gateway takes pictures of up to 1.0 MB."
    )
    expect(playground.problem).to_contain_text("picture_too_large")
    assert sent == []


def test_names_are_text_wherever_they_stand(playground: Playground, portrait: Path) -> None:
    name = f"{OWNED}.jpg".replace("/", "")
    playground.asked(named(name, portrait.read_bytes()))
    playground.asked(named(f"2{name}", portrait.read_bytes()))
    expect(playground.curl).to_contain_text("onerror=")
    expect(playground.picture).to_have_attribute("alt", f"2{name}")
    expect(playground.page.locator("img[src='x']")).to_have_count(0)
    expect(playground.page).to_have_title("Visiongate: the playground")


def test_names_that_deceive_the_eye_are_left_out_of_the_curl_line(
    playground: Playground, portrait: Path
) -> None:
    for name in ("a\u202egpj.exe", "a\x1b[2Jb.jpg", "a\u2028b.jpg", "a\u200bb.jpg"):
        playground.asked(named(name, portrait.read_bytes()))
        expect(playground.curl).to_contain_text("-F file=@picture \\")


def test_labels_and_details_are_text(playground: Playground, portrait: Path) -> None:
    answer = playground.api(portrait.read_bytes(), "detectors=face&delete=true")
    answer["detections"][0]["label"] = OWNED
    answer["warnings"] = [OWNED]
    playground.page.route(
        re.compile("/detect[?]"), lambda route: route.fulfill(json=answer), times=1
    )
    playground.asked(portrait)
    expect(playground.rows.first).to_contain_text("<img src=x")
    expect(playground.page.locator("#warnings")).to_contain_text("<img src=x")
    playground.page.route(
        re.compile("/detect[?]"), lambda route: route.fulfill(status=400, json={"detail": OWNED})
    )
    playground.page.get_by_role("button", name="Ask again").click()
    expect(playground.problem).to_contain_text("<img src=x")
    expect(playground.page.locator("img[src='x']")).to_have_count(0)
    expect(playground.page).to_have_title("Visiongate: the playground")


def test_the_browser_itself_refuses_scripts_and_html(
    playground: Playground, complaints: Complaints
) -> None:
    """Were there a hole in the page, nothing could come in by it."""
    playground.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.append("document.title = 'owned'");
            try { document.body.append(script); } catch {}
            try { document.body.insertAdjacentHTML("beforeend", "<b id='owned'>!</b>"); } catch {}
            const style = document.createElement("style");
            style.append("body { display: none }");
            document.body.append(style);
        }"""
    )
    expect(playground.page.locator("#owned")).to_have_count(0)
    expect(playground.page.locator("body")).to_be_visible()
    expect(playground.page).to_have_title("Visiongate: the playground")
    complaints.wait_for(3, playground.page)
    for complaint in complaints.found:
        assert re.search("Content Security Policy|Trusted(HTML|Script)", complaint)
    complaints.found.clear()
