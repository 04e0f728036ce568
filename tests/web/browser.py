"""Headless Chromium, driven through chromedriver by the WebDriver protocol (W3C WebDriver): JSON over HTTP, no library."""

import base64
import json
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.support.run import wait_for

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of a reference to an element (W3C WebDriver 12.1)
_ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900", "--lang=en",
    # nothing leaves this machine
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip


class Browser:
    """One window. Failed steps raise AssertionError with the driver's message."""

    def __init__(self, home: Path) -> None:
        self.profile = tempfile.TemporaryDirectory(prefix="postrider-browser-", dir=home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with open(home / "chromedriver.log", "wb") as log:
            self.driver = subprocess.Popen(
                ["chromedriver", f"--port={port}"], stdout=log, stderr=log, preexec_fn=end_with_parent()
            )
        self.base = f"http://127.0.0.1:{port}"
        wait_for(self._ready, 30, "chromedriver answers")
        options = {"args": [*_ARGUMENTS, f"--user-data-dir={self.profile.name}"]}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.version: str = made["capabilities"]["browserVersion"]
        self.base += f"/session/{made['sessionId']}"

    def close(self) -> None:
        """Close the window, the browser and its driver."""
        self._call("DELETE", "")
        self.driver.terminate()
        self.driver.wait(patient(10))
        self.profile.cleanup()

    def open(self, url: str) -> None:
        """Load a page."""
        self._call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a JavaScript function and return its value."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, why: str, seconds: float = 20) -> Any:
        """Return the first true value of a JavaScript expression."""
        return wait_for(lambda: self.run(f"return {script}"), seconds, f"{why}: {script}")

    def click(self, selector: str) -> None:
        """Click what a CSS selector finds, as a mouse does."""
        self._call("POST", f"/element/{self._element(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into a field; U+E007 is the Enter key (W3C WebDriver 17.4.2)."""
        self._call("POST", f"/element/{self._element(selector)}/value", {"text": text})

    def screenshot(self, file: Path) -> None:
        """Write the window as a PNG."""
        file.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def _element(self, selector: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])

    def _ready(self) -> bool:
        try:
            return bool(self._call("GET", "/status")["ready"])
        except OSError:
            return False

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=patient(60)) as reply:
                return json.loads(reply.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.loads(error.read())["value"]["message"].splitlines()[0]) from None
