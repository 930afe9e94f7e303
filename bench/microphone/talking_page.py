"""The chat of a session in a Chromium with a file as microphone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.microphone.tape import TAPE, Tape, read_tape
from bench.microphone.utterances import Samples, write_wav
from bench.server_process import ServerProcess
from bench.viewers.chromium import SessionPage, chromium

SESSION = "talk"


class TalkingPage(SessionPage):
    """The page; hands-free listening is off at first."""

    def ask(self, text: str) -> None:
        """Send a text."""
        self.run(f"document.getElementById('text').value = {json.dumps(text)}")
        self.run("document.getElementById('composer').requestSubmit()")

    def start_hands_free(self) -> None:
        """Start hands-free listening, and wait for it."""
        self.run("document.getElementById('hands-free').click()")
        self.wait(lambda: self.state == "listening")

    @property
    def state(self) -> str:
        """The state of the microphone."""
        return str(self.run("return document.getElementById('talk').dataset.state"))

    def tape(self) -> Tape:
        """Return the tape; it begins with hands-free listening."""
        return read_tape(self.run)

    def pictures_s(self) -> list[float]:
        """Return the Unix times at which the pictures of the film were shown."""
        return [shown / 1000 for shown, _ in self.run("return window.pictures")]


@contextmanager
def talking_page(
    server: ServerProcess, folder: Path, heard: Samples, room: str = "null"
) -> Iterator[TalkingPage]:
    """Open the chat in a browser whose microphone plays `heard` in a loop.

    `room` is the page's `window.room`, in JavaScript.
    """
    sound = write_wav(folder / "microphone.wav", heard)
    flags = (
        *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
        f"--use-file-for-fake-audio-capture={sound}",
    )
    with chromium(folder / "profile", flags=flags) as browser:
        source = {"source": f"{TAPE}\nwindow.room = {room};"}
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
        page = TalkingPage(browser, server.url(f"/?session={SESSION}&mode=chat&player=mse"))
        page.wait(lambda: page.run("return document.querySelector('[data-mode=chat]') !== null"))
        yield page
