"""Firefox and WebKit, as Debian has them, behind the commands that drive Chromium elsewhere.

Both draw on a screen of their own (Debian: xvfb), which the hand-over's WebGL needs, and have no
network but this machine's.
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

from tests.web.browsing import PATIENCE_S
from tests.web.marionette import MarionetteConnection

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
WEBKIT_DRIVER = shutil.which("WebKitWebDriver")
MINI_BROWSER = next(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"), None)
SCREEN = shutil.which("Xvfb")
LOOK_S = 0.05
START_S = 4 * PATIENCE_S
"""Firefox wants much of a processor before it says its first word."""

SETTINGS = {
    "marionette.port": 0,  # any; it is written into the profile
    "media.autoplay.default": 0,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "data:,",
}
SCRIPT_ERRORS = """
const isOurs = (message) => message instanceof Ci.nsIScriptError && /http/.test(message.sourceName);
const isError = (message) => !(message.flags & Ci.nsIScriptError.warningFlag);
const errors = Services.console.getMessageArray().filter((one) => isOurs(one) && isError(one));
Services.console.reset();
return errors.map((error) => ({ source: "javascript", message: String(error) }));
"""


class Firefox(WebDriver):
    """Firefox, that tells what its console holds as Chromium's driver does."""

    def get_log(self, log_type: str) -> list[dict[str, Any]]:
        """Errors of scripts since the last time."""
        assert log_type == "browser"
        self.execute("setContext", {"value": "chrome"})
        try:
            errors: list[dict[str, Any]] = self.execute_script(SCRIPT_ERRORS)
        finally:
            self.execute("setContext", {"value": "content"})
        return errors


class WebKit(WebDriver):
    """WebKitGTK's small browser, whose console is what it prints."""

    def __init__(self, printed: Path, url: str, options: WebKitGTKOptions) -> None:
        self._printed, self._read = printed, 0
        super().__init__(RemoteConnection(client_config=ClientConfig(url)), options=options)

    def get_log(self, log_type: str) -> list[dict[str, Any]]:
        """Errors of scripts since the last time."""
        assert log_type == "browser"
        lines = self._printed.read_text(errors="replace").splitlines()
        new, self._read = lines[self._read :], len(lines)
        return [
            {"source": "javascript", "message": line}
            for line in new
            if line.startswith("CONSOLE JS ERROR")
        ]


@contextmanager
def screen(folder: Path) -> Iterator[dict[str, str]]:
    """A screen that nobody looks at; the environment of a program that draws on it."""
    reading, writing = os.pipe()
    command = [str(SCREEN), "-displayfd", str(writing), "-screen", "0", "1280x900x24"]
    with subprocess.Popen(
        [*command, "-nolisten", "tcp"], pass_fds=[writing], stderr=subprocess.DEVNULL
    ) as process:
        os.close(writing)
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        try:
            home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
            yield {**os.environ, **home, "DISPLAY": f":{number}"}
        finally:
            process.terminate()


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A Firefox of its own."""
    settings = [f"user_pref({json.dumps(n)}, {json.dumps(v)});" for n, v in SETTINGS.items()]
    (folder / "user.js").write_text("\n".join(settings))
    command = [str(FIREFOX), "--marionette", "-remote-allow-system-access", "--no-remote"]
    with (
        screen(folder) as environment,
        subprocess.Popen(
            [*command, "--profile", str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            connection = MarionetteConnection(port_of(folder, process), START_S)
            browser = Firefox(command_executor=connection, options=FirefoxOptions())
            yield browser
            browser.quit()
            process.wait(PATIENCE_S)
        finally:
            process.kill()


def port_of(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Where the Firefox of this profile listens, once it does."""
    told, latest_s = profile / "MarionetteActivePort", monotonic() + START_S
    while not told.exists() or not told.read_text():
        assert process.poll() is None, "Firefox has ended"
        assert monotonic() < latest_s, "Firefox does not listen"
        sleep(LOOK_S)
    return int(told.read_text())


@contextmanager
def webkit(folder: Path) -> Iterator[WebKit]:
    """A WebKitGTK of its own."""
    options = WebKitGTKOptions()
    options.binary_location = str(MINI_BROWSER)
    options.add_argument("--automation")
    options.add_argument("--enable-write-console-messages-to-stdout=true")
    printed = folder / "printed"
    more = {
        "GST_PLUGIN_FEATURE_RANK": "fakeaudiosink:MAX",  # a clock for the sound, where no card is
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # nothing but our own page is opened
    }
    with screen(folder) as environment, printed.open("wb") as log:
        service = Service(str(WEBKIT_DRIVER), log_output=log, env={**environment, **more})
        service.start()
        try:
            browser = WebKit(printed, service.service_url, options)
            yield browser
            browser.quit()
        finally:
            service.stop()


@dataclass(frozen=True)
class Engine:
    """One that Chromium is not built on."""

    name: str
    opened: Callable[[Path], Any]
    """A browser of it, for as long as a block lasts."""
    packages: str
    is_here: bool


ENGINES = (
    Engine("firefox", firefox, "firefox-esr and xvfb", bool(FIREFOX and SCREEN)),
    Engine(
        "webkit",
        webkit,
        "webkit2gtk-driver, gstreamer1.0-libav, gstreamer1.0-plugins-bad and xvfb",
        bool(WEBKIT_DRIVER and MINI_BROWSER and SCREEN),
    ),
)
