"""The real page in a process of its own, and a real browser that nobody sees."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.cli.conftest import ride as ride

SECONDS = 90.0
"""How long a busy machine may take for anything here."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
DRIVER = which("chromedriver")


def missing() -> str:
    """What is not there of all that the browser tests need."""
    need = {"gradio": find_spec("gradio"), "selenium": find_spec("selenium"), "chromium": CHROMIUM}
    return ", ".join(name for name, found in {**need, "chromedriver": DRIVER}.items() if not found)


@dataclass(frozen=True)
class App:
    """A running `ride app`."""

    address: str
    process: subprocess.Popen[str]
    contacts: Path

    def contacted(self) -> set[str]:
        """Machines that it has connected to, or asked a name server for."""
        return set(self.contacts.read_text(encoding="utf-8").splitlines()) if self.contacts.exists() else set()

    def worked(self) -> float:
        """Seconds of the processor that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


WATCH = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        where = arguments[0 if event == "socket.getaddrinfo" else 1]
        where = where if isinstance(where, (str, bytes)) else where[0]
        with open({path!r}, "a", encoding="utf-8") as file:
            print(where, file=file)
sys.addaudithook(watch)
import socket
with socket.socket() as probe:
    probe.connect_ex(("127.0.0.1", 9))
"""
"""Runs in the page's process before anything else and writes down whom it contacts; the first is itself."""


def _listen() -> None:
    """Ignore no signal: a process that does passes that on, as one behind `nohup` does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(home: Path, *words: object) -> App:
    """Start the page on a free port and wait until it answers."""
    contacts = home / "contacts.txt"
    (home / "sitecustomize.py").write_text(WATCH.format(path=str(contacts)), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")])),
        "HOME": str(home),
        "TMPDIR": str(home),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ride", "app", "--port", "0", "--json", "--threads", "1", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        cwd=home,
        preexec_fn=_listen,
    )
    assert process.stdout
    line = process.stdout.readline()
    assert line, "ride app ended at once"
    return App(json.loads(line)["address"], process, contacts)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One page for all tests: they come as different visitors."""
    running = start(tmp_path_factory.mktemp("home"))
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


class Visitor:
    """A browser with the page open."""

    def __init__(self, profile: Path, address: str, width: int = 1280, height: int = 1000) -> None:
        from selenium.webdriver import Chrome, ChromeOptions
        from selenium.webdriver.chrome.service import Service

        options = ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = Chrome(options, Service(DRIVER))
        self.driver.set_script_timeout(SECONDS)
        self.go(address)

    def go(self, address: str) -> None:
        """Load the page and wait until it is there."""
        self.driver.get(address)
        self.until(lambda: self.find("#fill"), "the page")

    def close(self) -> None:
        """Leave."""
        self.driver.quit()

    def find(self, selector: str) -> Any:
        """The first element that can be seen, or None."""
        return next((e for e in self.driver.find_elements("css selector", selector) if e.is_displayed()), None)

    def text(self, selector: str) -> str:
        """What an element says; "" where there is none."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.driver.execute_script(script, selector))

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """Wait for something."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if found := true():
                return found
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come; the page says: {self.text('body')}")

    def await_text(self, selector: str, text: str) -> None:
        """Wait until an element says this."""
        self.until(lambda: text in self.text(selector), text)

    def await_size(self, selector: str, rows: int, columns: int) -> None:
        """Wait until an image has this size in its own pixels."""
        self.until(lambda: self.loaded(selector) == (columns, rows), f"{selector} of {rows} x {columns}")

    def tab(self, name: str) -> None:
        """Go to a tab."""
        tabs = self.driver.find_elements("css selector", "button[role=tab]")
        next(tab for tab in tabs if tab.text == name).click()

    def press(self, selector: str) -> None:
        """Press a button when it is there."""
        button = self.until(lambda: self.find(selector), selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()

    def upload(self, path: Path) -> None:
        """Give a file to the upload button of the tab that is open."""
        panel = self.until(lambda: self.find("div[role=tabpanel]"), "a tab")
        panel.find_element("css selector", "input[type=file]").send_keys(str(path))

    def drag(self, *to: tuple[float, float]) -> None:
        """Paint with the mouse through points of the canvas, given as shares of its width and height."""
        from selenium.webdriver import ActionChains

        canvas = self.until(lambda: self.find("#painter [data-loaded] canvas"), "the image to paint on")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        size = canvas.size
        points = [(round((x - 0.5) * size["width"]), round((y - 0.5) * size["height"])) for x, y in to]
        chain = ActionChains(self.driver, duration=30).move_to_element_with_offset(canvas, *points[0]).click_and_hold()
        for point in points[1:]:
            chain = chain.move_to_element_with_offset(canvas, *point)
        chain.release().perform()
        self.until(lambda: "pixels missing" in self.text("#painter output"), "the hole")

    def drawn_size(self) -> tuple[int, int]:
        """Width and height of the image that is painted on, in its own pixels."""
        script = "const c = document.querySelector('#painter canvas'); return [c.width, c.height]"
        width, height = self.driver.execute_script(script)
        return width, height

    def loaded(self, selector: str) -> tuple[int, int]:
        """Width and height of an image in its own pixels, 0 where there is none."""
        script = (
            "const i = document.querySelector(arguments[0]); return i ? [i.naturalWidth, i.naturalHeight] : [0, 0]"
        )
        width, height = self.driver.execute_script(script, selector)
        return width, height

    def enter(self, label: str, value: float) -> None:
        """Type a number beside a slider or into a field of the tab that is open."""
        from selenium.webdriver.common.keys import Keys

        box = self.until(lambda: self.find(f"div[role=tabpanel] input[type=number][aria-label*='{label}']"), label)
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(str(value), Keys.TAB)

    def choose(self, label: str, option: str) -> None:
        """Take an option of a list of the tab that is open."""
        box = self.until(lambda: self.find(f"div[role=tabpanel] input[aria-label='{label}']"), label)
        box.click()
        self.until(lambda: self.find(f"ul[role=listbox] li[aria-label='{option}']"), option).click()

    def requested(self) -> set[str]:
        """Hosts that the page has asked for anything, since the last call."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                url = message["params"].get("request", message["params"])["url"]
                if not url.startswith(("data:", "blob:", "chrome:", "about:")):
                    found.add(urlsplit(url).hostname or url)
        return found


@pytest.fixture(scope="session")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Visitor]]:
    """Starts as many browsers as the tests want; none is left."""
    if absent := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"the page cannot be tested here without {absent}")
        pytest.skip(f"the page is tested in a browser where there is {absent}")
    started: list[Visitor] = []

    def come(address: str, **settings: Any) -> Visitor:
        started.append(Visitor(tmp_path_factory.mktemp("profile"), address, **settings))
        return started[-1]

    try:
        yield come
    finally:
        for visitor in started:
            visitor.close()


@pytest.fixture(scope="session")
def _browser(browsers: Callable[..., Visitor], app: App) -> Visitor:
    return browsers(app.address)


@pytest.fixture
def visitor(_browser: Visitor, app: App) -> Visitor:
    """Somebody who has just opened the page."""
    _browser.go(app.address)
    return _browser
