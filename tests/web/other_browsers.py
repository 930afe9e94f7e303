"""Debian's Firefox and WebKitGTK, driven by Selenium like Chromium in the other tests.

Both run on a virtual display (Debian: xvfb), because their WebGL needs one, and connect only to
this machine.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from selenium.webdriver import FirefoxOptions, WebKitGTKOptions
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.service import Service

from tests.web.browsing import TIMEOUT_S
from tests.web.marionette import MarionetteConnection

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
WEBKIT_DRIVER = shutil.which("WebKitWebDriver")
MINI_BROWSER = next(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"), None)
XVFB = shutil.which("Xvfb")
POLL_INTERVAL_S = 0.05
START_TIMEOUT_S = 4 * TIMEOUT_S
"""Firefox needs much CPU time before it opens its port."""

FIREFOX_SETTINGS = {
    "dom.security.https_first": False,  # it gives up a redirect that falls back to plain HTTP
    "marionette.port": 0,  # any free one; Firefox writes it into the profile
    "network.dns.localDomains": "talk.test,other.test,rebound.test",  # names of this machine
    "media.autoplay.default": 0,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "data:,",
}
CONSOLE_ERRORS = """
const isOurs = (message) => message instanceof Ci.nsIScriptError && /http/.test(message.sourceName);
const isError = (message) => !(message.flags & Ci.nsIScriptError.warningFlag);
const errors = Services.console.getMessageArray().filter((one) => isOurs(one) && isError(one));
Services.console.reset();
return errors.map((error) => ({ source: "javascript", message: String(error) }));
"""


class Firefox(WebDriver):
    """Firefox with the `get_log` of Chromium's driver."""

    def get_log(self, log_type: str) -> list[dict[str, Any]]:
        """Script errors since the last call."""
        assert log_type == "browser"
        self.execute("setContext", {"value": "chrome"})
        try:
            errors: list[dict[str, Any]] = self.execute_script(CONSOLE_ERRORS)
        finally:
            self.execute("setContext", {"value": "content"})
        return errors


class WebKit(WebDriver):
    """WebKitGTK, which prints its console, with the `get_log` of Chromium's driver."""

    def __init__(self, output: Path, url: str, options: WebKitGTKOptions) -> None:
        self._output, self._lines_read = output, 0
        super().__init__(RemoteConnection(client_config=ClientConfig(url)), options=options)

    def get_log(self, log_type: str) -> list[dict[str, Any]]:
        """Script errors since the last call."""
        assert log_type == "browser"
        lines = self._output.read_text(errors="replace").splitlines()
        new, self._lines_read = lines[self._lines_read :], len(lines)
        return [
            {"source": "javascript", "message": line}
            for line in new
            if line.startswith("CONSOLE JS ERROR")
        ]


@contextmanager
def virtual_display(folder: Path) -> Iterator[dict[str, str]]:
    """An Xvfb display; yields the environment for programs that use it."""
    reading, writing = os.pipe()
    command = [str(XVFB), "-displayfd", str(writing), "-screen", "0", "1280x900x24"]
    with subprocess.Popen(
        [*command, "-nolisten", "tcp"], pass_fds=[writing], stderr=subprocess.DEVNULL
    ) as process:
        os.close(writing)
        with os.fdopen(reading) as output:
            number = output.readline().strip()
        try:
            home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
            yield {**os.environ, **home, "DISPLAY": f":{number}"}
        finally:
            process.terminate()


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A Firefox with its own profile."""
    settings = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});"
        for name, value in FIREFOX_SETTINGS.items()
    ]
    (folder / "user.js").write_text("\n".join(settings))
    command = [str(FIREFOX), "--marionette", "-remote-allow-system-access", "--no-remote"]
    with (
        virtual_display(folder) as environment,
        subprocess.Popen(
            [*command, "--profile", str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            connection = MarionetteConnection(marionette_port(folder, process), START_TIMEOUT_S)
            browser = Firefox(command_executor=connection, options=FirefoxOptions())
            yield browser
            browser.quit()
            process.wait(TIMEOUT_S)
        finally:
            process.kill()


def marionette_port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Wait until Firefox has opened its port; return it."""
    file, deadline_s = profile / "MarionetteActivePort", monotonic() + START_TIMEOUT_S
    while not file.exists() or not file.read_text():
        assert process.poll() is None, "Firefox has exited"
        assert monotonic() < deadline_s, "Firefox has not opened its port"
        sleep(POLL_INTERVAL_S)
    return int(file.read_text())


@contextmanager
def webkit(folder: Path) -> Iterator[WebKit]:
    """A WebKitGTK browser."""
    options = WebKitGTKOptions()
    options.binary_location = str(MINI_BROWSER)
    options.add_argument("--automation")
    options.add_argument("--enable-write-console-messages-to-stdout=true")
    output = folder / "output"
    settings = {
        "GST_PLUGIN_FEATURE_RANK": "fakeaudiosink:MAX",  # an audio clock without a sound card
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # only our own page is opened
    }
    with virtual_display(folder) as environment, output.open("wb") as log:
        service = Service(str(WEBKIT_DRIVER), log_output=log, env={**environment, **settings})
        service.start()
        try:
            browser = WebKit(output, service.service_url, options)
            yield browser
            browser.quit()
        finally:
            service.stop()


@dataclass(frozen=True)
class OtherBrowser:
    """A browser with an engine other than Chromium's."""

    name: str
    start: Callable[[Path], Any]
    """A context manager that runs the browser with a folder for its files."""
    packages: str
    """Debian's packages that it needs."""
    is_installed: bool


OTHER_BROWSERS = (
    OtherBrowser("firefox", firefox, "firefox-esr and xvfb", bool(FIREFOX and XVFB)),
    OtherBrowser(
        "webkit",
        webkit,
        "webkit2gtk-driver, gstreamer1.0-libav, gstreamer1.0-plugins-bad and xvfb",
        bool(WEBKIT_DRIVER and MINI_BROWSER and XVFB),
    ),
)
