"""The bench of odd texts finds voices that crash, are silent or clip."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
import pytest

from bench.odd_texts import ODD_TEXTS
from bench.voice_texts import speak_all
from tts.family import best_voice
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice, VoiceInfo


class Faulty:
    """A family whose voice is faulty in the way that a text asks for."""

    prefix = "faulty"
    info = VoiceInfo(
        id="faulty:voice",
        name="faulty",
        languages=("en-US",),
        gender="neutral",
        licence="none",
        sample_rate_hz=1000,
    )

    def infos(self) -> Sequence[VoiceInfo]:
        return [self.info]

    def find(self, name: str) -> VoiceInfo | None:
        return self.info if name == self.info.id else None

    def best_for(self, language: str) -> VoiceInfo | None:
        return best_voice(self.infos(), language)

    def prepare(self, voice: str) -> None:
        pass

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        assert choice.voice == self.info.id and not is_cancelled()
        if sentence.text == "crash":
            raise IndexError
        level = {"silent": 0.001, "clip": 1.0, "broken": np.nan}.get(sentence.text, 0.3)
        return Speech(sentence.text, np.full(500, level, np.float32), 1000, None)

    def close(self) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[VoiceRegistry]:
    with closing(VoiceRegistry([Faulty()])) as voices:
        yield voices


def test_every_fault_is_found_with_its_voice_and_text(registry: VoiceRegistry) -> None:
    texts = ["fine", "crash", "silent", "clip", "broken", "…"]
    found = speak_all(registry, ["faulty:voice"], texts)
    assert found.spoken == 4
    assert found.crashed == ["faulty:voice: 'crash': IndexError()"]
    assert [each.split("'")[1] for each in found.silent] == ["silent", "broken"]
    assert [each.split("'")[1] for each in found.clipped] == ["clip"]
    assert len(found.refused) == 1


def test_there_are_a_hundred_different_texts() -> None:
    assert len(set(ODD_TEXTS)) == 100


@pytest.mark.slow
def test_one_voice_of_espeak_speaks_all_of_them(voices: VoiceRegistry) -> None:
    found = speak_all(voices, ["espeak:en-us"], ODD_TEXTS)
    assert (found.crashed, found.refused, found.silent, found.clipped) == ([], [], [], [])
    assert found.spoken > 100
