"""Firefox by its own port: Selenium's commands, carried without geckodriver, which Debian lacks.

The port is called Marionette. It speaks the commands of WebDriver by other names: a length, a colon
and `[0, number, name, parameters]`; the answer is `[1, number, error, value]` in the same dress.
"""

import json
import socket
from typing import Any

from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection

NAMES = {
    Command.NEW_SESSION: "WebDriver:NewSession",
    Command.QUIT: "Marionette:Quit",
    Command.GET: "WebDriver:Navigate",
    Command.GET_CURRENT_URL: "WebDriver:GetCurrentURL",
    Command.SCREENSHOT: "WebDriver:TakeScreenshot",
    Command.W3C_EXECUTE_SCRIPT: "WebDriver:ExecuteScript",
    Command.FIND_ELEMENT: "WebDriver:FindElement",
    Command.CLICK_ELEMENT: "WebDriver:ElementClick",
    Command.SEND_KEYS_TO_ELEMENT: "WebDriver:ElementSendKeys",
    Command.GET_ELEMENT_TEXT: "WebDriver:GetElementText",
    Command.IS_ELEMENT_ENABLED: "WebDriver:IsElementEnabled",
    "setContext": "Marionette:SetContext",
}
HARD_ERROR = 500


class MarionetteConnection(RemoteConnection):
    """What Selenium takes for an HTTP connection to a driver."""

    def __init__(self, port: int, patience_s: float) -> None:
        super().__init__(client_config=ClientConfig(f"http://127.0.0.1:{port}"))
        self._number = 0
        self._socket = socket.create_connection(("127.0.0.1", port), patience_s)
        self._file = self._socket.makefile("rb")
        self._read()  # it greets

    def execute(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a command of Selenium's; the answer as a driver would word it."""
        self._number += 1
        sent = {name: value for name, value in params.items() if name != "sessionId"}
        text = json.dumps([0, self._number, NAMES[command], sent]).encode()
        self._socket.sendall(b"%d:%b" % (len(text), text))
        _, number, error, value = self._read()
        assert number == self._number
        if error is not None:
            return {"status": HARD_ERROR, "value": json.dumps({"value": error})}
        if isinstance(value, dict) and value.keys() == {"value"}:
            return dict(value)
        return {"value": value}

    def close(self) -> None:
        """Selenium has no more to say."""
        self._file.close()
        self._socket.close()

    def _read(self) -> Any:
        length = b""
        while (digit := self._file.read(1)) != b":":
            if not digit:
                raise ConnectionError("Firefox closed its port")
            length += digit
        return json.loads(self._file.read(int(length)))
