"""A JupyterLab and a browser of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pytest
from jupyter_server.serverapp import list_running_servers
from playwright.sync_api import Browser, sync_playwright

NAMES = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser")


def find_browser(downloaded: str) -> str:
    """The browser that Playwright downloaded, or one on the PATH; skips the test without one."""
    if program := next(filter(None, map(shutil.which, (downloaded, *NAMES))), None):
        return program
    pytest.skip(
        "there is no Chromium or Chrome: install one (Debian: `apt-get install chromium`; elsewhere"
        " `playwright install chromium`), and the course is tried in a real browser, too"
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser for which no name but the machine's own leads anywhere."""
    local = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        program = find_browser(playwright.chromium.executable_path)
        with playwright.chromium.launch(executable_path=program, args=[local]) as launched:
            yield launched


@contextmanager
def jupyterlab(folder: Path, home: Path, timeout: float = 60) -> Iterator[tuple[str, str]]:
    """Serve ``folder`` in a JupyterLab that knows no user and keeps everything in ``home``.

    Yields:
        Its address (with a slash at the end) and its token.

    Raises:
        RuntimeError: it did not start; the message holds what it wrote.
    """
    personal = ("JUPYTER", "IPYTHON", "XDG_", "MPL")
    env = {name: value for name, value in os.environ.items() if not name.startswith(personal)}
    env |= {f"JUPYTER_{k.upper()}_DIR": f"{home}/{k}" for k in ("config", "data", "runtime")}
    env |= {"HOME": str(home), "MPLCONFIGDIR": matplotlib.get_cachedir()}  # it has listed the fonts
    settings = home / "config" / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True)
    news = "@jupyterlab/apputils-extension:announcements"
    settings.write_text(json.dumps({"disabledExtensions": {news: True}}), encoding="utf-8")
    log = home / "jupyterlab.log"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    with log.open("w", encoding="utf-8") as output:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        server = subprocess.Popen(command, cwd=folder, env=env, **streams)
    try:
        end = time.monotonic() + timeout
        while not (found := list(list_running_servers(env["JUPYTER_RUNTIME_DIR"]))):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")
            time.sleep(0.1)
        yield found[0]["url"], found[0]["token"]
    finally:
        server.terminate()  # and it ends its kernels, which takes two seconds
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()  # its kernels notice that, and end
            server.wait()
