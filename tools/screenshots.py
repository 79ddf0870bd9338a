"""Take the pictures of the playground in ``docs/images`` anew, with a gateway of its own.

``make screenshots`` needs Chromium, and the network for weights that are not here yet. The
photograph is Grace Hopper's official portrait, which matplotlib ships: in the public domain.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))

import demo  # noqa: E402 - it lies beside the programs that users copy

FOLDER = ROOT / "docs" / "images"
DESKTOP = {"width": 1240, "height": 900}
SEEN = 1290  # pixels of the page's height that a picture of it shows, where it is so high
PHONE = {"width": 390, "height": 844}
LOADING = 120_000.0  # milliseconds in which a gateway fetches and loads its weights


def main() -> int:
    """Take them; return the exit status."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Please install Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix="visiongate-screenshots-") as name:
        folder = Path(name)
        environment = demo.throw_away_settings(folder)
        demo.add_user(environment, folder, password)
        with demo.gateway(environment, folder) as address, sync_playwright() as playwright:
            root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=chromium, args=root)
            take(browser, address, password)
            browser.close()
    return 0


def take(browser: Browser, address: str, password: str) -> None:
    """Take each picture."""
    FOLDER.mkdir(exist_ok=True)
    for name, size, scheme in (
        ("playground", DESKTOP, "light"),
        ("playground-dark", DESKTOP, "dark"),
        ("playground-phone", PHONE, "light"),
    ):
        page = browser.new_page(
            viewport=size,  # type: ignore[arg-type]
            color_scheme=scheme,  # type: ignore[arg-type]
            device_scale_factor=1.5,
        )
        page.goto(f"{address}/")
        page.get_by_label("User name").fill(demo.USER)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#choose")).to_be_visible(timeout=LOADING)
        page.set_input_files("#files", demo.bundled_photograph())
        expect(page.locator("#rows tr").first).to_be_visible(timeout=LOADING)
        page.mouse.move(1, 1)  # away from the boxes
        page.get_by_role("button", name="Ask again").click()  # now that all is loaded
        expect(page.get_by_role("status")).to_contain_text("Found")
        save(page, name, SEEN if size is DESKTOP else size["height"])
        page.close()


def save(page: Page, name: str, height: int) -> None:
    """Save the page's upper part as WebP, which is a third of a PNG."""
    size = page.viewport_size
    assert size is not None
    clip: FloatRect = {"x": 0, "y": 0, "width": size["width"], "height": height}
    with Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))) as shot:
        path = FOLDER / f"{name}.webp"
        shot.save(path, "WEBP", quality=82, method=6)
        facts = f"{shot.width} x {shot.height}, {path.stat().st_size} bytes"
        print(f"{path.relative_to(ROOT)}: {facts}")


if __name__ == "__main__":
    sys.exit(main())
