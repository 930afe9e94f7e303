"""The chat of the page: real answers of a scripted model, spoken by the real server."""

import json
import threading
from urllib.request import urlopen

from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.chat.scripted_server import Script, ScriptedServer
from tests.web.browsing import browser_tests
from tests.web.chat_page import ChatPage

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

ANSWER = (
    "Good **morning** \U0001f600 to you. The [manual](https://example.org/m) has `it` all.\n\n"
    "- One.\n- Two."
)
SHOWN = "Good morning \U0001f600 to you. The manual has it all.One.Two."
LONG = "This sentence takes about three seconds, all in all. " * 4
CATCH_FILES = """
window.files = [];
URL.createObjectURL = (blob) => (blob.text().then((text) => window.files.push(text)), "#");
"""


def test_an_answer_appears_while_it_is_written_and_is_marked_where_it_is_heard(
    chat: ChatPage, chat_server: ScriptedServer
) -> None:
    gate = threading.Event()
    chat_server.script = Script(text=ANSWER, gate=gate, gate_after=6)
    chat.wait(lambda: chat.answers() == ["Hello, I am Ada. What would you like to talk about?"])
    chat.type("Good", Keys.SHIFT, Keys.ENTER, Keys.NULL, "morning", Keys.ENTER)
    chat.wait(lambda: chat.answers() and chat.answers()[0].startswith("Good morning"))
    assert chat.questions() == ["Good\nmorning"]
    assert chat.answers()[0] != SHOWN
    gate.set()
    chat.wait(lambda: chat.marked("spoken").startswith("The manual has"))
    assert chat.is_speaking()
    heard_s = chat.film("currentTime")
    chat.wait(chat.is_answered)
    assert chat.marked("spoken") == ""
    assert chat.answers() == [SHOWN]
    (turn,) = chat.history()
    assert (turn["reply_text"], turn["heard_text"]) == (ANSWER, ANSWER)
    second = turn["sentences"][1]
    assert second["start_s"] <= heard_s + 0.1
    html = chat.run("return document.querySelector('.answer > .body').innerHTML")
    for part in ("<strong>morning</strong>", "<code>it</code>", "<li>One.</li>", 'rel="noopener'):
        assert part in html
    link = chat.browser.find_element(By.LINK_TEXT, "Video").get_attribute("href")
    with urlopen(str(link)) as film:
        assert film.read(12)[4:8] == b"ftyp"
    chat.browser.refresh()
    chat.wait(lambda: chat.answers() == [SHOWN])
    assert chat.questions() == ["Good\nmorning"]


def test_what_was_not_said_is_struck_out_and_the_message_can_be_edited(
    chat: ChatPage, chat_server: ScriptedServer
) -> None:
    chat_server.script = Script(text=LONG)
    chat.send("Talk")
    chat.wait_until_speaking(after_s=2)
    chat.type(Keys.ESCAPE)
    chat.wait(lambda: chat.film("paused"))
    chat.wait(lambda: chat.notes()[0].startswith("Interrupted"))
    chat.wait(lambda: chat.history()[0]["interrupted"])
    heard = chat.history()[0]["heard_text"]
    assert heard.startswith("This sentence")
    assert len(heard) < len(LONG) / 2
    chat.wait(lambda: (heard + chat.marked("unsaid")).strip() == LONG.strip())
    chat_server.script = Script(text="Briefly.")
    chat.type(Keys.ARROW_UP, " less", Keys.ENTER)
    chat.wait(lambda: chat.answers() == ["Briefly."])
    assert chat.questions() == ["Talk less"]
    assert chat.marked("unsaid") == ""
    asked = chat_server.received[-1].body["messages"]
    assert [message["content"] for message in asked if message["role"] != "system"] == ["Talk less"]
    chat.wait(chat.is_answered)
    assert [turn["user_text"] for turn in chat.history()] == ["Talk less"]


def test_an_error_says_what_to_do_and_the_question_can_be_asked_again(
    chat: ChatPage, chat_server: ScriptedServer
) -> None:
    chat_server.script = Script(status=401, body='{"error": {"message": "bad key"}}')
    chat.send("Hello")
    chat.wait(lambda: "key" in chat.notes()[0])
    assert "key" in chat.history()[0]["error"]["description"]
    chat_server.script = Script(text="Now it works.")
    chat.press("Try again")
    chat.wait(lambda: chat.answers() == ["Now it works."])
    assert chat.questions() == ["Hello"]
    chat.wait(chat.is_answered)
    chat.run(CATCH_FILES)
    chat.run("for (const each of document.querySelectorAll('#save button')) each.click()")
    chat.wait(lambda: len(chat.run("return window.files")) == 3)
    text, markdown, saved = chat.run("return window.files")
    assert "Hello" in text
    assert "Now it works." in markdown
    assert json.loads(saved)["turns"][0]["sentences"][0]["text"] == "Now it works."
    chat.click("reset")
    chat.click("reset")
    chat.wait(lambda: chat.questions() == [])
    assert chat.history() == []


LINKS = """
const links = [...document.querySelectorAll("#messages .body a")];
return links.map((link) => link.getAttribute("href"));
"""
HOSTILE = (
    "<img src=x onerror='window.hacked = 1'> <script>window.hacked = 1</script> "
    "[a](javascript:window.hacked=1) [b](https://example.org/?q=<script>) "
    "![c](https://example.org/c.png) "
    "\u202egnp.exe\u202c "
    + "x" * 2000
    + '\n\n| <b> |\n| --- |\n| "quoted" |\n\n```\n</code><img src=x>\n```'
)


def test_whatever_is_written_stays_text(chat: ChatPage, chat_server: ScriptedServer) -> None:
    chat_server.script = Script(text=HOSTILE, tokens=[HOSTILE])
    text = "<img src=x onerror='window.hacked = 1'>\u202e" + "y" * 3000
    chat.run("document.getElementById('text').value = arguments[0]", text)
    chat.submit()
    chat.wait(lambda: chat.answers() and chat.answers()[0].endswith("</code><img src=x>"))
    chat.type(Keys.ESCAPE)
    assert chat.questions() == [text]
    assert chat.run("return window.hacked") is None
    unexpected = (
        "return document.querySelectorAll('#messages :is(img, script, b, iframe, style)').length"
    )
    assert chat.run(unexpected) == 0
    assert chat.run(LINKS) == [
        None,
        "https://example.org/?q=",
        "https://example.org/c.png",
    ]
    assert chat.run("return document.documentElement.scrollWidth <= innerWidth")
    assert chat.run("return document.documentElement.scrollHeight <= innerHeight")
    assert chat.run("return messages.scrollWidth <= messages.clientWidth")
    chat.wait(chat.is_answered)
