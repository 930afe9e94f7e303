"""Fixtures of a small running server: real voices and films, a tiny avatar and its engine."""

import gc
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.tiny_face import LoudnessEngine, running_runtime
from tts.catalogue import espeak_voices
from tts.heart.voices import COMMAND, HeartVoices
from tts.registry import VoiceRegistry
from tts.workers.stream import StreamLimits
from tts.workers.stream_client import StreamClient
from warm.runtime import Runtime
from warm.settings import Settings

WATCHED_SIGNALS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGPROF, signal.SIGALRM)
HANDLERS = pytest.StashKey[dict[signal.Signals, Any]]()
"""The handlers of these signals before the first test."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep the database of hypothesis out of the checkout, and let tests stop programs by SIGINT.

    A shell starts programs in the background with that signal ignored, and they pass that on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[HANDLERS] = {each: signal.getsignal(each) for each in WATCHED_SIGNALS}
    home = tempfile.mkdtemp(prefix="hypothesis-")
    set_hypothesis_home_dir(home)
    config.add_cleanup(lambda: shutil.rmtree(home))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail a test that leaves another handler of a signal.

    A later test would end with its whole process: by SIGPIPE, when a client closes its connection.
    """
    yield
    for number in WATCHED_SIGNALS:
        expected = item.config.stash[HANDLERS][number]
        if (found := signal.signal(number, expected)) is not expected:
            pytest.fail(f"the test left {found!r} as the handler of {number.name}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the modules with slow tests first: two processes then end at nearly the same time."""
    slow = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "browser")))}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Keep the modules and tests out of every later collection of garbage, which is then short."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def voices() -> Iterator[VoiceRegistry]:
    with closing(espeak_voices()) as voices:
        yield voices


@pytest.fixture(scope="session")
def heart_voices() -> Iterator[HeartVoices]:
    """The voice `heart` in a process of its own, which no test may end."""
    limits = StreamLimits(start_s=120.0, step_s=120.0, answer_s=120.0)  # for crowded machines
    with closing(HeartVoices(StreamClient(COMMAND, limits))) as voices:
        voices.prepare("heart")
        yield voices


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        results_dir=tmp_path / "results", avatar_id="tiny", max_queue=2, chat_model="off"
    )


@pytest.fixture
def engine() -> LoudnessEngine:
    cv2.setNumThreads(1)
    return LoudnessEngine()


@pytest.fixture
def runtime(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[Runtime]:
    with running_runtime(settings, voices, tmp_path, engine=engine) as runtime:
        yield runtime


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Without collections of garbage: what is released is released by its owner."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
