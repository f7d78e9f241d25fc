"""A real browser, if this machine has one: pages are opened in it, and looked at."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def browser() -> str:
    """Return the path of a browser, or skip the test."""
    for name in NAMES:
        if (path := shutil.which(name)) is not None:
            return path
    pytest.skip(f"no browser is installed ({', '.join(NAMES)}); apt-get install chromium")


def _run(*arguments: str, folder: Path) -> str:
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}", *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opened(page: Path, folder: Path) -> str:
    """Open a page without a network; return its document as the browser holds it."""
    return _run("--proxy-server=127.0.0.1:9", "--dump-dom", page.as_uri(), folder=folder)


def screenshot(page: Path, image: Path, size: tuple[int, int], folder: Path) -> None:
    """Write what a window of a size shows of a page as PNG."""
    width, height = size
    _run(f"--window-size={width},{height}", f"--screenshot={image}", page.as_uri(), folder=folder)


def evaluated(page: Path, script: str, folder: Path) -> object:
    """Return the JSON value of a script, run in a page."""
    text = page.read_text("utf-8")
    probe = page.with_name("probe.html")
    added = f"<script>document.title = JSON.stringify({script});</script></body>"
    probe.write_text(text.replace("</body>", added), "utf-8")
    dom = opened(probe, folder)
    title = dom[dom.index("<title>") + 7 : dom.index("</title>")]
    return json.loads(title.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
