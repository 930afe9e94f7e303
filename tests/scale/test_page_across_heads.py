"""The page in a browser behind nginx, while the head of its session ends."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from session.fragmented.check import check_film
from tests.chat.scripted_server import MODEL, Script, ScriptedServer
from tests.polling import wait_until
from tests.scale.heads import NO_NGINX, Cluster, RunningHead, cluster, find_nginx, nginx_before
from tests.web.browsing import SERVER, Page, browser_tests
from tests.web.chat_page import ChatPage
from tests.web.live_page import LivePage
from tests.web.page_server import make_avatar
from warm.avatars.store import AvatarStore

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

SPEAK = "&mode=speak"
LONG = "This sentence takes about three seconds, all in all. " * 4


def grey_command(chat_url: str, results: Path, name: str, port: int) -> tuple[str, ...]:
    """Command of a head of the grey avatar, with a model at an address."""
    settings = {
        "head": name,
        "on_disconnect": "continue",
        "trusted_proxies": "127.0.0.1",
        "chat_url": chat_url,
        "chat_model": MODEL,
    }
    return (str(SERVER), str(results), str(port), json.dumps(settings))


@pytest.fixture(scope="module")
def heads(
    tmp_path_factory: pytest.TempPathFactory, chat_server: ScriptedServer
) -> Iterator[Cluster]:
    if find_nginx() is None:
        pytest.skip(NO_NGINX)
    folder = tmp_path_factory.mktemp("heads")
    make_avatar(AvatarStore(folder / "results"))
    with (
        cluster(folder / "results", command=partial(grey_command, chat_server.url)) as started,
        nginx_before(started, folder / "nginx"),
    ):
        yield started


@pytest.fixture(autouse=True)
def all_running(heads: Cluster) -> Iterator[None]:
    """Start the heads again that a test has ended."""
    yield
    for head in heads.heads.values():
        if head.process is not None and head.process.poll() is not None:
            head.start()
            head.wait()


def holder_of(heads: Cluster, page: Page) -> RunningHead:
    """The head that has the session of a page.

    To be asked while the session speaks: otherwise the next request may move it, as nginx uses a
    head that was started again only some seconds later.
    """
    path = f"/sessions/{page.session}"
    return heads[str(heads.ask("GET", path, X_Session_Id=page.session).head)]


def has_left(heads: Cluster, page: Page, head: RunningHead) -> bool:
    """True if another head answers for the session of a page; nginx may answer for a moment."""
    answer = heads.ask("GET", f"/sessions/{page.session}", X_Session_Id=page.session)
    return answer.head not in (None, head.name)


def require_whole_film(heads: Cluster, page: Page) -> None:
    """The film of a page's session decodes, and has the pictures of all its clips."""
    clips = heads.ask("GET", f"/sessions/{page.session}").json["clips"]
    check = check_film(heads.results / "sessions" / page.session / "full_session.mp4")
    assert (check.faults, check.frames) == ([], sum(clip["frames"] for clip in clips))


def test_a_live_page_goes_on_at_another_head_when_its_own_is_killed(
    browser: Chrome, heads: Cluster
) -> None:
    page = LivePage(browser, heads.proxy_port, "live-killed", SPEAK)
    page.wait_until_live()
    page.say("Before the kill")
    page.wait_for_speech()
    page.say(LONG)
    page.wait(page.is_speaking)
    victim = holder_of(heads, page)
    page.watch_for_loss()
    victim.kill()
    page.wait(lambda: page.element("text", "value") == LONG)  # to be sent again
    page.wait(lambda: has_left(heads, page, victim))
    page.wait_for_loss()
    page.wait_until_live()
    page.wait(lambda: page.text("error-text") == "")
    page.wait(lambda: page.notes()[1:2] != ["connection lost"])
    assert page.notes()[1].startswith("interrupted after")
    page.run("document.getElementById('text').value = ''")
    page.wait_until_silent()
    page.say("After the kill")
    page.wait(page.is_speaking)
    page.wait(lambda: page.clips()[-1:] == ["After the kill"])
    page.wait_until_silent()
    page.wait(lambda: page.text("status-text").startswith("ready"))
    require_whole_film(heads, page)
    assert page.console_errors() == []


def test_a_page_that_plays_the_film_goes_on_at_another_head_when_its_own_is_killed(
    browser: Chrome, heads: Cluster
) -> None:
    page = Page(browser, heads.proxy_port, "film-killed", SPEAK)
    page.say("Before the kill")
    page.wait_for_speech()
    page.say(LONG)
    page.wait(lambda: len(page.appended()) > 8)
    victim = holder_of(heads, page)
    victim.kill()
    page.wait(lambda: page.element("text", "value") == LONG)
    page.wait(lambda: page.notes()[1:2] != ["connection lost"])
    assert page.notes()[1].startswith("interrupted after")
    page.wait(lambda: page.text("error-text") == "")
    page.run("document.getElementById('text').value = ''")
    page.say("After the kill")
    page.wait(lambda: page.clips()[-1:] == ["After the kill"])
    page.wait(page.is_speaking)
    page.wait_until_silent()
    page.assert_each_fragment_came_once()
    require_whole_film(heads, page)
    assert page.console_errors() == []


def test_a_live_page_moves_with_its_session_when_its_head_is_drained(
    browser: Chrome, heads: Cluster
) -> None:
    page = LivePage(browser, heads.proxy_port, "live-drained", SPEAK)
    page.wait_until_live()
    page.say(LONG)
    page.wait(page.is_speaking)
    holder = holder_of(heads, page)
    drained = holder.ask("POST", "/heads/drain", {"timeout_s": 50})
    assert drained.json["is_drained"], drained.content
    page.wait(lambda: has_left(heads, page, holder))
    page.wait_until_live()
    page.wait(lambda: page.clips() == [LONG.strip()])
    assert page.notes()[0].endswith(" s")  # it was spoken to its end
    assert page.text("error-text") == ""
    page.wait(lambda: page.text("status-text").startswith("ready"))
    page.say("After the drain")
    page.wait(page.is_speaking)
    page.wait(lambda: page.clips()[-1:] == ["After the drain"])
    stop(holder)
    page.wait_until_silent()
    page.say("And after its end")
    page.wait(page.is_speaking)
    page.wait(lambda: page.clips()[-1:] == ["And after its end"])
    assert page.text("error-text") == ""
    require_whole_film(heads, page)
    assert page.console_errors() == []


def test_a_page_that_plays_the_film_moves_with_its_session_when_its_head_is_drained(
    browser: Chrome, heads: Cluster
) -> None:
    page = Page(browser, heads.proxy_port, "film-drained", SPEAK)
    page.say(LONG)
    page.wait(page.is_speaking)
    holder = holder_of(heads, page)
    drained = holder.ask("POST", "/heads/drain", {"timeout_s": 50})
    assert drained.json["is_drained"], drained.content
    page.wait(lambda: page.clips() == [LONG.strip()])
    assert page.text("error-text") == ""
    page.wait(lambda: page.text("status-text").startswith("ready"))
    stop(holder)
    page.wait_until_silent()
    page.say("After the drain")
    page.wait(page.is_speaking)
    page.wait(lambda: page.clips()[-1:] == ["After the drain"])
    page.wait_until_silent()
    page.assert_each_fragment_came_once()
    require_whole_film(heads, page)
    assert page.console_errors() == []


def test_a_chat_goes_on_at_another_head_when_its_own_is_killed_during_an_answer(
    browser: Chrome, heads: Cluster, chat_server: ScriptedServer
) -> None:
    chat_server.script = Script(text="The first answer.")
    page = ChatPage(browser, heads.proxy_port, "chat-killed", "&mode=chat")
    page.send("One")
    page.wait(lambda: page.answers() == ["The first answer."])
    page.wait(page.is_answered)
    chat_server.script = Script(text=LONG * 3)
    page.send("Two")
    page.wait(page.is_speaking)
    victim = holder_of(heads, page)
    victim.kill()
    page.wait(lambda: has_left(heads, page, victim))
    page.wait(page.is_answered)
    page.wait(lambda: len(page.notes()) == 2 and page.notes()[1] != "")  # it says what happened
    assert page.questions() == ["One", "Two"]
    assert page.answers()[0] == "The first answer."
    chat_server.script = Script(text="The third answer.")
    page.send("Three")
    page.wait(page.is_speaking)
    page.wait(lambda: page.answers()[2:] == ["The third answer."])
    page.wait(page.is_answered)
    assert [turn["user_text"] for turn in page.history()] == ["One", "Two", "Three"]
    page.browser.refresh()
    page.wait_for_chat()
    page.wait(lambda: page.questions() == ["One", "Two", "Three"])
    assert page.console_errors() == []


def stop(head: RunningHead) -> None:
    """End a drained head with SIGTERM, and wait for that."""
    assert head.process is not None
    head.process.terminate()
    wait_until(lambda: head.process is None or head.process.poll() is not None, "the head to end")
