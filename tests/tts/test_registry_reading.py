"""Sentences of a text in several languages, voices and speeds, spoken through the registry."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tts.family import best_voice
from tts.pauses import with_pauses
from tts.pending import PendingPieces
from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech
from tts.styles import ReadsStyles, check_styles
from tts.text.markup import check_text
from tts.text.plain_text import PlainText
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, VoiceChoice, VoiceInfo, Voices

RATE_HZ = 1000


def voice(name: str, language: str, gender: str = "female") -> VoiceInfo:
    return VoiceInfo(
        id=f"tone:{name}",
        name=name,
        languages=(language,),
        gender=gender,  # type: ignore[arg-type]
        licence="none",
        sample_rate_hz=RATE_HZ,
    )


class Tones:
    """A family whose voices are tones of a second, with 0.3 s of silence after it."""

    prefix = "tone"

    def __init__(self) -> None:
        self.said: list[tuple[str, VoiceChoice]] = []
        self.voices = [
            voice("ann", "en-US"),
            voice("bob", "en-US", "male"),
            voice("olga", "ru"),
            voice("ivan", "ru", "male"),
            voice("anke", "de"),
        ]

    def infos(self) -> Sequence[VoiceInfo]:
        return self.voices

    def find(self, name: str) -> VoiceInfo | None:
        return next((info for info in self.voices if info.id == name), None)

    def best_for(self, language: str) -> VoiceInfo | None:
        return best_voice(self.voices, language)

    def prepare(self, voice: str) -> None:
        pass

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        assert not is_cancelled()
        self.said.append((sentence.text, choice))
        if "Silence" in sentence.text:
            return None
        samples = np.concatenate([np.ones(RATE_HZ), np.zeros(300)]).astype(np.float32)
        phonemes = (Phoneme("a", 0.0, 1.0), Phoneme("", 1.0, 1.3))
        return Speech(sentence.text, samples, RATE_HZ, phonemes)

    def close(self) -> None:
        pass


@pytest.fixture
def tones() -> Tones:
    return Tones()


def read(tones: Tones, text: str, markup: str = "plain", voice: str = "tone:ann") -> list[Speech]:
    registry = VoiceRegistry([tones])
    plain = check_text(text, max_chars=5000, markup=markup)  # type: ignore[arg-type]
    return list(registry.read(plain, registry.choose(voice=voice)))


def spoken(tones: Tones) -> list[tuple[str, str]]:
    return [(text, choice.voice.removeprefix("tone:")) for text, choice in tones.said]


def test_words_of_another_script_have_a_voice_of_their_language(tones: Tones) -> None:
    speeches = read(tones, "Привет means hello.")
    assert spoken(tones) == [("Привет", "olga"), ("means hello.", "ann")]
    assert [speech.voice for speech in speeches] == ["tone:olga", None]


def test_the_other_voice_has_the_same_gender(tones: Tones) -> None:
    read(tones, "Привет means hello.", voice="tone:bob")
    assert spoken(tones) == [("Привет", "ivan"), ("means hello.", "bob")]


def test_words_that_no_voice_can_read_are_left_out_and_reported(tones: Tones) -> None:
    (speech,) = read(tones, "你好 means hello.")
    assert spoken(tones) == [("means hello.", "ann")]
    assert speech.remarks == ("no voice has sounds for '你好', so it was left out",)


def test_a_text_of_such_words_alone_is_refused(tones: Tones) -> None:
    with pytest.raises(BadSpeechRequest, match="has no sounds for the text '你好'"):
        read(tones, "你好")


def test_latin_words_without_a_voice_are_left_to_the_chosen_one(tones: Tones) -> None:
    tones.voices = [voice("olga", "ru")]
    read(tones, "Он сказал how are you today.", voice="tone:olga")
    assert spoken(tones) == [("Он сказал", "olga"), ("how are you today.", "olga")]


def test_captions_show_what_was_written_and_voices_get_what_is_said(tones: Tones) -> None:
    (speech,) = read(tones, "Pay $5 at www.a-b.com/c?d=1 now!")
    assert speech.text == "Pay $5 at www.a-b.com/c?d=1 now!"
    assert spoken(tones)[0][
        0
    ] == "Pay 5 dollars at w w w dot a dash b dot com slash c now!".replace(" a ", " eigh ")


def test_a_part_that_no_voice_can_speak_is_reported(tones: Tones) -> None:
    speeches = read(tones, "One. Silence. Two.")
    assert [speech.text for speech in speeches] == ["One.", "Two."]
    assert speeches[1].remarks == ("no voice has sounds for 'Silence.', so it was left out",)


def test_ssml_changes_voice_language_speed_and_pauses(tones: Tones) -> None:
    ssml = (
        '<speak>One<break time="2s"/>two. <prosody rate="150%">Three.</prosody> '
        '<lang xml:lang="de">Vier.</lang> <voice name="tone:bob">Five.</voice></speak>'
    )
    speeches = read(tones, ssml, "ssml")
    assert spoken(tones) == [("One", "ann"), ("two.", "ann"), ("Three.", "ann"), ("Vier.", "anke"),
                             ("Five.", "bob")]  # fmt: skip
    assert [choice.speed for _, choice in tones.said] == [1, 1, 1.5, 1, 1]
    assert [round(speech.duration_s, 3) for speech in speeches] == [3, 1.3, 1.3, 1.3, 1.3]
    assert speeches[0].phonemes == (Phoneme("a", 0.0, 1.0), Phoneme("", 1.0, 3.0))


def test_voices_join_inside_a_clause_with_a_short_pause(tones: Tones) -> None:
    first, last = read(tones, "Привет means hello.")
    assert (first.duration_s, last.duration_s) == (1.04, 1.3)


def test_a_break_at_the_beginning_delays_sound_and_phonemes(tones: Tones) -> None:
    (speech,) = read(tones, '<speak><break time="500ms"/>Hi.</speak>', "ssml")
    assert not speech.samples[:500].any()
    assert speech.samples[500] == 1
    assert speech.phonemes == (Phoneme("", 0.0, 0.5), Phoneme("a", 0.5, 1.5), Phoneme("", 1.5, 1.8))


def test_a_speed_stays_within_the_range_of_voices(tones: Tones) -> None:
    read(
        tones,
        '<speak><prosody rate="400%">a</prosody> <prosody rate="25%">b</prosody></speak>',
        "ssml",
    )
    assert [choice.speed for _, choice in tones.said] == [2.0, 0.5]


@pytest.mark.parametrize(("after_s", "lengths"), [(0.1, [3, 6, 1]), (0.9, [3, 6, 4, 500, 5])])
def test_pauses_of_sound_that_is_still_to_come(after_s: float, lengths: list[int]) -> None:
    pieces = [np.ones(600, np.float32), np.ones(400, np.float32), np.zeros(300, np.float32)]
    phonemes = (Phoneme("a", 0.0, 1.0), Phoneme("", 1.0, 1.3))
    speech = Speech("x", pieces[0], RATE_HZ, phonemes, PendingPieces(iter(pieces[1:]), 700))
    padded = with_pauses(speech, before_s=0.2, after_s=after_s, usual_s=0.14)
    total = 200 + 1000 + round(1000 * after_s)
    assert padded.total_samples == total
    whole = padded.completed().samples
    assert len(whole) == total
    assert whole.sum() == 1000
    assert whole[200] == 1
    assert padded.phonemes is not None
    assert padded.phonemes[-1].end_s == pytest.approx(total / RATE_HZ)


@pytest.mark.parametrize(
    ("ssml", "message"),
    [
        (
            '<speak>Hi <voice name="tone:zoe">there</voice></speak>',
            "at character 34, voice 'tone:zoe'",
        ),
        ('<speak><lang xml:lang="qq">a</lang></speak>', "at character 28, language 'qq'"),
        (
            '<speak><voice name="../../etc/passwd">a</voice></speak>',
            "'../../etc/passwd' is not one",
        ),
    ],
)
def test_unknown_voices_and_languages_of_a_part_are_refused_early(
    tones: Tones, ssml: str, message: str
) -> None:
    registry: Voices = VoiceRegistry([tones])
    assert isinstance(registry, ReadsStyles)
    plain = check_text(ssml, max_chars=1000, markup="ssml")
    with pytest.raises(BadSpeechRequest) as caught:
        check_styles(plain, registry, registry.choose(voice="tone:ann"))
    assert message in str(caught.value)
    assert caught.value.field == "text"
    check_styles(PlainText.of("fine"), registry, registry.choose(voice="tone:ann"))
