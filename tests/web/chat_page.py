"""The page in chat mode, as tests see it: bubbles, marks and history."""

from typing import Any

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, ask

MARKS = "return [...(CSS.highlights.get(arguments[0]) ?? [])].map((range) => range.toString())"
BUTTON = """
const buttons = [...document.querySelectorAll("#messages button")];
return buttons.findLast(({ textContent }) => textContent === arguments[0]);
"""


class ChatPage(Page):
    """The page of one session in chat mode."""

    def __init__(self, browser: Chrome, port: int, session: str, query: str = "") -> None:
        super().__init__(browser, port, session, query)
        self.wait_for_chat()

    def wait_for_chat(self) -> None:
        """Wait until messages can be sent."""
        ready = "return document.querySelector('.conversation').dataset.mode === 'chat'"
        self.wait(lambda: self.run(ready) and self.element("persona", "value"))

    def type(self, *keys: str) -> None:
        """Press keys in the text field."""
        self.browser.find_element(By.ID, "text").send_keys(*keys)

    def questions(self) -> list[str]:
        """The texts of the user's bubbles."""
        return self._texts(".asked:not([hidden]) > p")

    def answers(self) -> list[str]:
        """The texts of the bubbles of answers, as they are shown."""
        return self._texts(".answer > .body")

    def notes(self) -> list[str]:
        """The notes below the answers."""
        return self._texts(".answer > small")

    def marked(self, name: str) -> str:
        """The text that is marked as `spoken` or `unsaid`."""
        return "".join(self.run(MARKS, name))

    def press(self, label: str) -> None:
        """Press the last button in the chat with a label."""
        self.run(BUTTON, label).click()

    def is_answered(self) -> bool:
        """True if every answer is complete, and nothing is heard any more."""
        running = "return document.querySelector('.answer[aria-busy=true]') !== null"
        return not self.run(running) and not self.is_speaking()

    def history(self) -> Any:
        """The turns of the session, as the server has them."""
        return ask(self.port, "GET", f"/chat/history?session_id={self.session}")["turns"]

    def send(self, text: str) -> None:
        self.type(text, Keys.ENTER)

    def _texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        return list(self.run(script, selector))
