"""The chat on telephones, by keyboard alone, and for readers of every kind."""

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.chat.scripted_server import Script, ScriptedServer
from tests.web.browsing import browser_tests
from tests.web.chat_page import ChatPage
from tests.web.screens import SCREENS, assert_in_view, resize
from tests.web.senses import focused, low_contrast_texts, prefer, press

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

ANSWER = (
    "Here is `code` and a [link](https://example.org).\n\n```\n"
    + "x = 1 " * 60
    + "\n```\n\n- Done."
)
AFTER_THE_TEXT = ["send", "talk", "hands-free", "persona", "chat-voice", "chat-language"]


@pytest.mark.usefixtures("resizable", "media")
def test_the_chat_is_usable_on_every_screen_by_keyboard_and_by_screen_readers(
    chat: ChatPage, chat_server: ScriptedServer
) -> None:
    chat_server.script = Script(text=ANSWER)
    chat.send("Something that was asked before, so that there are bubbles and buttons")
    chat.wait(lambda: chat.answers() and chat.answers()[0].endswith("Done."))
    chat.type(Keys.ESCAPE)
    chat.wait(chat.is_answered)
    chat_server.script = Script(status=401, body="{}")
    chat.send("And this fails")
    chat.wait(lambda: chat.notes()[-1] != "" and chat.is_answered())

    for scheme in ("dark", "light"):
        prefer(chat, "prefers-color-scheme", scheme)
        assert low_contrast_texts(chat) == [], scheme
    log = chat.browser.find_element(By.ID, "messages")
    assert (log.aria_role, log.accessible_name) == ("log", "Chat")
    controls = chat.browser.find_elements(
        By.CSS_SELECTOR, "main :is(button, select, input, summary)"
    )
    assert all(each.accessible_name for each in controls if each.is_displayed())

    chat.run("document.getElementById('mode-chat').focus()")
    names = []
    while not names or names[-1] != AFTER_THE_TEXT[-1]:
        names.append(focused(chat))
        assert len(names) < 40, names
        press(chat, Keys.TAB)
    assert names[:4] == ["mode-chat", "Save", "reset", "messages"]
    assert {"Edit", "Copy", "Ask again", "Try again", "link"} <= set(names)
    reached = [name for name in names[names.index("text") :] if name in AFTER_THE_TEXT]
    assert reached == AFTER_THE_TEXT

    assert_in_view(chat)
    resize(chat, SCREENS["small"])
    chat.click("chat-menus-toggle")
    for name in ("persona", "chat-voice", "chat-language"):
        assert chat.browser.find_element(By.ID, name).is_displayed()
    assert chat.run("return document.documentElement.scrollWidth <= innerWidth")


def test_texts_can_be_said_exactly_next_to_the_chat(
    chat: ChatPage, chat_server: ScriptedServer
) -> None:
    chat.click("mode-speak")
    chat.say("Word for word.")
    chat.wait(lambda: chat.clips() == ["Word for word."])
    background = "return getComputedStyle(document.querySelector('li.spoken')).backgroundColor"
    chat.wait_until_silent()
    chat.wait(lambda: chat.run(background) == "rgba(0, 0, 0, 0)")
    assert chat_server.received == []
    assert chat.history() == []
    chat.click("mode-chat")
    assert chat.questions() == []
