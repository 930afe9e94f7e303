"""A Selenium connection to Firefox over its Marionette protocol.

It replaces geckodriver, which Debian does not package. Marionette has WebDriver's commands under
other names. A message is a length, a colon and JSON: `[0, number, name, parameters]` for a command,
`[1, number, error, value]` for its answer.
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
    Command.W3C_EXECUTE_SCRIPT_ASYNC: "WebDriver:ExecuteAsyncScript",
    Command.SET_TIMEOUTS: "WebDriver:SetTimeouts",
    Command.GET_PAGE_SOURCE: "WebDriver:GetPageSource",
    Command.FIND_ELEMENT: "WebDriver:FindElement",
    Command.SWITCH_TO_FRAME: "WebDriver:SwitchToFrame",
    Command.CLICK_ELEMENT: "WebDriver:ElementClick",
    Command.SEND_KEYS_TO_ELEMENT: "WebDriver:ElementSendKeys",
    Command.GET_ELEMENT_TEXT: "WebDriver:GetElementText",
    Command.IS_ELEMENT_ENABLED: "WebDriver:IsElementEnabled",
    "setContext": "Marionette:SetContext",
}
HARD_ERROR = 500


class MarionetteConnection(RemoteConnection):
    """Marionette behind the interface of Selenium's HTTP connection to a driver."""

    def __init__(self, port: int, timeout_s: float) -> None:
        super().__init__(client_config=ClientConfig(f"http://127.0.0.1:{port}"))
        self._number = 0
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._file = self._socket.makefile("rb")
        self._read()  # the greeting

    def execute(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send one of Selenium's commands; return the answer as a driver would."""
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
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def _read(self) -> Any:
        length = b""
        while (digit := self._file.read(1)) != b":":
            if not digit:
                raise ConnectionError("Firefox closed its port")
            length += digit
        return json.loads(self._file.read(int(length)))
