"""The built book, a browser to look at it with, and a server that only this machine can reach."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.book.built import HTML

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book."""
    if not (HTML / "index.html").exists():
        pytest.skip("the book is not built; ./run book builds it.")
    return HTML


@pytest.fixture(scope="session")
def address(html):
    """The built book, served on the loopback address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=html))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser(html):
    """A real browser without a window: COURSE_BROWSER, or the system's Chromium or Chrome."""
    found = os.environ.get("COURSE_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        reason = f"no browser is here: none of {', '.join(BROWSERS)}; COURSE_BROWSER may name one."
        if os.environ.get("COURSE_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A container's Chromium has no sandbox to use, and little shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=found, args=arguments)
        yield chromium
        chromium.close()
