"""`GET /voices`, samples of voices, and a voice that replaces an unavailable one."""

import io
import wave
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest
from flask.testing import FlaskClient

from api.voice_samples import MAX_KEPT, SamplesBusy, VoiceSamples
from tts.catalogue import espeak_voices
from tts.espeak.voices import EspeakVoices
from tts.heart.voices import HeartVoices
from tts.registry import VoiceRegistry
from tts.samples import NUMBERS, SENTENCES, sample_text
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, VoiceChoice, VoiceInfo, VoiceUnavailable
from warm.media.wav import wav_bytes


class SilentServer:
    """A family with one voice, whose server does not answer."""

    prefix = "remote"
    info = VoiceInfo(
        id="remote:anna",
        name="Anna",
        languages=("en",),
        gender="female",
        licence="unknown",
        sample_rate_hz=24_000,
    )

    def infos(self) -> list[VoiceInfo]:
        return [self.info]

    def find(self, name: str) -> VoiceInfo | None:
        return self.info if name == self.info.id else None

    def best_for(self, language: str) -> None:  # noqa: ARG002
        return None

    def prepare(self, voice: str) -> None:
        pass

    def synthesize(
        self,
        sentence: Sentence,  # noqa: ARG002
        choice: VoiceChoice,  # noqa: ARG002
        is_cancelled: Callable[[], bool],  # noqa: ARG002
    ) -> Speech | None:
        raise VoiceUnavailable("the server does not answer")

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def espeak() -> Iterator[EspeakVoices]:
    voices = EspeakVoices()
    yield voices
    voices.close()


def pcm(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth()) == (1, 2)
        return np.frombuffer(reader.readframes(reader.getnframes()), "<i2")


def test_each_voice_is_listed_with_what_its_users_need(client: FlaskClient) -> None:
    (german,) = [
        voice for voice in client.get("/voices").json["voices"] if voice["id"] == "espeak:de"
    ]
    assert german.pop("licence").startswith("espeak-ng, GPL-3")
    assert german == {
        "id": "espeak:de",
        "name": "German, female",
        "languages": ["de"],
        "gender": "female",
        "sample_rate_hz": 22_050,
        "phoneme_times": "own",
        "knows_phonemes": True,
        "streams": False,
        "is_live": True,
        "loads": False,
        "is_remote": False,
        "problem": None,
        "sample_url": "/voices/sample?voice=espeak%3Ade",
    }


def test_the_sample_of_a_voice_is_audible_and_may_be_cached(client: FlaskClient) -> None:
    (url,) = [
        voice["sample_url"]
        for voice in client.get("/voices").json["voices"]
        if voice["id"] == "espeak:de+male"
    ]
    answer = client.get(url)
    assert answer.mimetype == "audio/wav"
    assert np.abs(pcm(answer.data)).max() > 3000
    again = client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_sample_of_an_unknown_voice_is_refused_with_the_nearest_names(
    client: FlaskClient,
) -> None:
    answer = client.get("/voices/sample?voice=espeak:den")
    assert answer.status_code == 422
    assert "espeak:de" in answer.json["detail"]


@pytest.mark.parametrize("language", ["en-GB", "de", "cmn", "pt-BR"])
def test_a_sample_is_in_the_language_of_its_voice(language: str) -> None:
    assert sample_text(language) == SENTENCES[language.partition("-")[0]]


def test_a_language_without_a_sentence_counts(espeak: EspeakVoices) -> None:
    voices = VoiceRegistry([espeak])
    assert sample_text("eo") == NUMBERS
    (speech,) = voices.speak(NUMBERS, voices.choose(language="eo"))
    assert speech.duration_s > 2


def test_only_the_last_samples_are_kept_in_memory() -> None:
    made = []

    def speak(text: str, choice: VoiceChoice) -> Iterator[Speech]:
        made.append(choice.voice)
        yield Speech(text, np.ones(100, np.float32), 24_000, None)

    samples = VoiceSamples(speak)
    names = [f"voice {number}" for number in range(MAX_KEPT + 1)]
    for name in [*names, names[-1], names[0]]:
        samples.of(VoiceChoice(voice=name, language="en", speed=1.0))
    assert made == [*names, names[0]]


def test_a_sample_waits_for_others_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.voice_samples.WAIT_S", 0.01)
    samples = VoiceSamples(lambda *_: iter(()))
    with samples._making, pytest.raises(SamplesBusy):
        samples.of(VoiceChoice(voice="a", language="en", speed=1.0))


def test_a_voice_that_does_not_answer_is_an_error(espeak: EspeakVoices) -> None:
    voices = VoiceRegistry([SilentServer(), espeak])
    with pytest.raises(VoiceUnavailable, match="does not answer"):
        list(voices.speak("Hello there.", voices.choose(voice="remote:anna")))


def test_the_fallback_voice_speaks_and_says_so(espeak: EspeakVoices) -> None:
    voices = VoiceRegistry([SilentServer(), espeak], fallback="espeak:en-us+male")
    (speech,) = voices.speak("Hello there.", voices.choose(voice="remote:anna"))
    assert np.abs(speech.samples).max() > 0.1
    assert speech.voice == "espeak:en-us+male"
    (remark,) = speech.remarks
    assert "remote:anna is unavailable (the server does not answer)" in remark
    assert "espeak:en-us+male spoke instead" in remark


def test_an_unknown_fallback_is_refused() -> None:
    with pytest.raises(BadSpeechRequest, match="voice_fallback 'nobody'"):
        espeak = EspeakVoices()
        try:
            VoiceRegistry([espeak], fallback="nobody")
        finally:
            espeak.close()


def test_auto_is_the_best_voice_of_the_language() -> None:
    voices = espeak_voices()
    assert voices.choose(voice="auto").voice == "espeak:en-us"
    assert voices.choose(voice="AUTO", language="de-AT").voice == "espeak:de"
    voices.close()


def test_a_start_rehearses_with_a_voice_that_need_not_be_loaded(espeak: EspeakVoices) -> None:
    with closing(HeartVoices()) as heart:
        voices = VoiceRegistry([heart, espeak])
        assert voices.choose().voice == "heart"
        rehearsed = voices.for_rehearsal(voices.choose(speed=1.5))
        assert rehearsed == VoiceChoice(voice="espeak:en-us", language="en-US", speed=1.5)
        german = voices.choose(voice="espeak:de+male")
        assert voices.for_rehearsal(german) == german
        assert VoiceRegistry([heart]).for_rehearsal(voices.choose()) is None


def test_a_variant_of_espeak_is_a_voice_of_its_own(espeak: EspeakVoices) -> None:
    voices = VoiceRegistry([espeak])
    choice = voices.choose(voice="espeak:en-us+F3")
    assert choice.voice == "espeak:en-us+f3"
    (third,) = voices.speak("Hello there.", choice)
    (first,) = voices.speak("Hello there.", voices.choose(voice="espeak:en-us"))
    count = min(len(third.samples), len(first.samples))
    assert np.abs(third.samples[:count] - first.samples[:count]).max() > 0.05


@pytest.mark.parametrize("name", ["espeak:en-us+f99", "espeak:en-us+../m1", "espeak:", "a:b", ":"])
def test_a_name_that_is_no_voice_is_refused(espeak: EspeakVoices, name: str) -> None:
    with pytest.raises(BadSpeechRequest) as refusal:
        VoiceRegistry([espeak]).choose(voice=name)
    assert refusal.value.field == "voice"


def test_sentences_of_several_voices_have_one_sample_rate() -> None:
    slow, fast = np.arange(8000) / 8000, np.arange(24_000) / 24_000
    speeches = [
        Speech("a", np.sin(2 * np.pi * 440 * at).astype(np.float32) / 2, len(at), None)
        for at in (slow, fast)
    ]
    samples = pcm(wav_bytes(speeches))
    assert len(samples) == pytest.approx(48_000, abs=10)
    for second in (samples[:24_000], samples[-24_000:]):
        assert np.abs(np.fft.rfft(second)).argmax() == 440
