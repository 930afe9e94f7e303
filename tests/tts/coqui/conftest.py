"""A stand-in of coqui-tts, in this process and in those of the models."""

import sys
from collections.abc import Callable, Iterator
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from tests.tts.coqui.stand_in import write_stand_in
from tts.coqui.models import read_models
from tts.coqui.voices import CoquiVoices

OpenVoices = Callable[..., CoquiVoices]


@pytest.fixture(scope="session")
def stand_in_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stand_in(tmp_path_factory.mktemp("stand-in"))


@pytest.fixture
def stand_in(
    stand_in_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder of the package; texts can be spoken with it."""
    monkeypatch.setenv("PYTHONPATH", str(stand_in_folder))
    monkeypatch.setenv("TTS_HOME", str(tmp_path / "models"))
    monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(sys, "path", [str(stand_in_folder), *sys.path])
    loaded = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_replaced(name)}
    invalidate_caches()
    yield stand_in_folder
    for name in [name for name in sys.modules if _is_replaced(name)]:
        del sys.modules[name]
    sys.modules.update(loaded)


def _is_replaced(name: str) -> bool:
    return name.partition(".")[0] in ("TTS", "torch", "torchaudio", "torchcodec", "six")


@pytest.fixture
def open_voices(stand_in: Path) -> Iterator[OpenVoices]:
    """Opens voices, which are closed at the end of the test."""
    opened = list[CoquiVoices]()

    def make(models: dict[str, Any], **options: Any) -> CoquiVoices:
        opened.append(CoquiVoices(read_models(models), **options))
        return opened[-1]

    yield make
    for voices in opened:
        voices.close()
