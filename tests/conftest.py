"""Fixtures of a small running server: real voices and films, a tiny avatar and its engine."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.tiny_face import LoudnessEngine, running_runtime
from tts.catalogue import espeak_voices
from tts.registry import VoiceRegistry
from warm.runtime import Runtime
from warm.settings import Settings


def pytest_configure(config: pytest.Config) -> None:
    """Keep the database of hypothesis out of the checkout."""
    home = tempfile.mkdtemp(prefix="hypothesis-")
    set_hypothesis_home_dir(home)
    config.add_cleanup(lambda: shutil.rmtree(home))


@pytest.fixture(scope="session")
def voices() -> Iterator[VoiceRegistry]:
    with closing(espeak_voices()) as voices:
        yield voices


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(results_dir=tmp_path / "results", avatar_id="tiny", max_queue=2)


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
