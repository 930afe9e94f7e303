"""The embedded voices: espeak-ng, a woman's and a man's voice in each of its languages."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.espeak_results import EspeakLanguage, PhonemeMark, SynthesizedSpeech
from tts.isolated_espeak import IsolatedEspeak, SentenceFailed
from tts.loudness import normalize_loudness
from tts.phonemes import phonemes_of
from tts.sentences import Sentence, speakable_text, split_sentences
from tts.speech import Speech
from tts.voice import BadSpeechRequest, VoiceChoice, VoiceInfo

LICENCE = "espeak-ng, GPL-3.0-or-later; loaded at run time from the wheel espeakng-loader"
DEFAULT_LANGUAGE = "en-US"
OWN_RATE_WPM = 170
"""The pace at speed 1.0: an unhurried conversation."""
SLOWEST, FASTEST = 0.5, 2.0

LEAD_S = 0.06
"""Silence before the first sound: time for the lips to close on a first /p/."""
SENTENCE_PAUSE_S, CLAUSE_PAUSE_S = 0.32, 0.14
"""Silence after a sentence, and after a piece whose sentence goes on, at speed 1.0."""

VARIANTS = {"female": "Annie", "male": "Gene"}
"""espeak's variant for each voice, the default first. Chosen among its 104 by the distance of their
long-term spectrum to human speech, without echo (it smears the stops) and without clipping."""

_NAMES_SHOWN = 5
_SCRIPT_LETTERS, _REGION_LETTERS = 4, 2


@dataclass(frozen=True, slots=True)
class _Speaker:
    info: VoiceInfo
    espeak_voice: str
    fits: Mapping[str, int]
    """Language tag to espeak's priority: lower fits better."""


class EspeakVoices:
    """Voices named `espeak-{language}-{female|male}`, as in `espeak-en-us-female`.

    Any thread may call anything; sentences of two threads wait for one another. espeak-ng runs in
    processes of its own: `close` ends them, and so does the end of this process.
    """

    def __init__(self, espeak: IsolatedEspeak | None = None) -> None:
        """Raises VoiceUnavailable when espeak-ng cannot be started."""
        self._espeak = espeak or IsolatedEspeak()
        speakers = list(_speakers(self._espeak.catalogue()))
        self._speakers = {speaker.info.id: speaker for speaker in speakers}
        self._spoken_by = _spoken_by(speakers)
        self._warm_up()

    def close(self) -> None:
        """End the processes of espeak-ng; nothing can be said afterwards."""
        self._espeak.close()

    def infos(self) -> Sequence[VoiceInfo]:
        """Every voice, in espeak's order of languages."""
        return [speaker.info for speaker in self._speakers.values()]

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        """Check a request and fill in the defaults; raises BadSpeechRequest.

        A language alone chooses its female voice; a tag that espeak lacks is shortened from the
        right until it is known (RFC 4647 lookup: `de-DE` finds `de`). A voice alone speaks its
        own language.
        """
        pace = _checked_speed(speed)
        if voice is None:
            tag = self._known_language(DEFAULT_LANGUAGE if language is None else language)
            return VoiceChoice(voice=self._spoken_by[tag], language=tag, speed=pace)
        info = self._known_voice(voice).info
        return VoiceChoice(voice=info.id, language=_language_of(info, language), speed=pace)

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        """Say `text`, one `Speech` a sentence, each made when the one before was taken.

        Raises BadSpeechRequest at once when there is nothing to say in `text`, and at a sentence
        that espeak-ng cannot speak; VoiceUnavailable when espeak-ng cannot be started again.
        """
        return self._speak(speakable_text(text), choice)

    def _speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        said = False
        for number, sentence in enumerate(split_sentences(text), 1):
            try:
                speech = self._sentence(sentence, choice)
            except SentenceFailed as error:
                raise BadSpeechRequest("text", _failed(sentence, number, choice, error)) from error
            if speech is not None:
                said = True
                yield speech
        if not said:
            raise BadSpeechRequest(
                "text",
                f"the voice {choice.voice} knows no sound for the text {text[:40]!r}. "
                "Choose a voice of the text's own language from GET /voices.",
            )

    def _sentence(self, sentence: Sentence, choice: VoiceChoice) -> Speech | None:
        """One sentence at the fixed loudness; None when espeak makes no sound of it."""
        utterance = self._espeak.say(
            sentence.text if sentence.ends else sentence.text.rstrip(",") + ",",
            voice=self._speakers[choice.voice].espeak_voice,
            rate_wpm=round(OWN_RATE_WPM * choice.speed),
        )
        pause = SENTENCE_PAUSE_S if sentence.ends else CLAUSE_PAUSE_S
        return _speech(sentence.text, utterance, lead_s=LEAD_S, pause_s=pause / choice.speed)

    def _known_voice(self, voice: str) -> _Speaker:
        speaker = self._speakers.get(voice.lower())
        if speaker is None:
            raise BadSpeechRequest("voice", _unknown("voice", voice, self._speakers))
        return speaker

    def _known_language(self, language: str) -> str:
        tag = _lookup(language, self._spoken_by)
        if tag is None:
            raise BadSpeechRequest("language", _unknown("language", language, self._spoken_by))
        return tag

    def _warm_up(self) -> None:
        """espeak reads a language's dictionary at its first sentence; the first caller need not."""
        for _ in self.speak("Hello.", self.choose()):
            pass


def bcp47(tag: str) -> str:
    """A language tag in the case of RFC 5646: `EN-us` is `en-US`, `fa-latn` is `fa-Latn`."""
    language, *rest = tag.lower().replace("_", "-").split("-")
    private = rest.index("x") if "x" in rest else len(rest)
    cased = [_subtag(part) if index < private else part for index, part in enumerate(rest)]
    return "-".join([language, *cased])


def _subtag(part: str) -> str:
    if len(part) == _REGION_LETTERS:
        return part.upper()
    return part.title() if len(part) == _SCRIPT_LETTERS and part.isalpha() else part


def _speakers(languages: Iterable[EspeakLanguage]) -> Iterator[_Speaker]:
    taken = set[str]()
    for language in languages:
        slug = language.tags[0][1].lower()
        if slug in taken:  # Cantonese in two spellings has one tag
            slug = language.identifier.rsplit("/", 1)[-1].lower()
        taken.add(slug)
        for kind, variant in VARIANTS.items():
            yield _speaker(language, slug, kind, variant)


def _speaker(language: EspeakLanguage, slug: str, kind: str, variant: str) -> _Speaker:
    info = VoiceInfo(
        id=f"espeak-{slug}-{kind}",
        name=f"{language.name}, {kind}",
        languages=tuple(dict.fromkeys(bcp47(tag) for _, tag in language.tags)),
        knows_phonemes=True,
        streams=False,
        licence=LICENCE,
    )
    fits = {bcp47(tag): priority for priority, tag in reversed(language.tags)}
    return _Speaker(info, f"{language.identifier}+{variant}", fits)


def _spoken_by(speakers: Iterable[_Speaker]) -> dict[str, str]:
    """Language tag to the voice that speaks it when none is asked for: the best fit, listed first.

    Plain `en` means DEFAULT_LANGUAGE, where espeak's own priorities would give British English.
    """
    best: dict[str, tuple[int, str]] = {}
    for speaker in speakers:
        for tag, priority in speaker.fits.items():
            if tag not in best or priority < best[tag][0]:
                best[tag] = (priority, speaker.info.id)
    best["en"] = best[DEFAULT_LANGUAGE]
    return {tag: voice for tag, (_, voice) in best.items()}


def _lookup(tag: str, known: Collection[str]) -> str | None:
    """RFC 4647 lookup: drop subtags from the right until the tag is known."""
    wanted = bcp47(tag.strip())
    while wanted:
        if wanted in known:
            return wanted
        wanted = wanted.rpartition("-")[0]
    return None


def _language_of(info: VoiceInfo, language: str | None) -> str:
    if language is None:
        return info.languages[0]
    tag = _lookup(language, info.languages)
    if tag is None:
        raise BadSpeechRequest(
            "language",
            f"the voice {info.id} speaks {', '.join(info.languages)}, received {language!r}. "
            "Leave one of the two out, or choose a voice of that language from GET /voices.",
        )
    return tag


def _checked_speed(speed: float | None) -> float:
    if speed is None:
        return 1.0
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        received = type(speed).__name__
    elif SLOWEST <= speed <= FASTEST:
        return float(speed)
    else:
        received = str(speed)
    raise BadSpeechRequest(
        "speed",
        f"speed must be a number from {SLOWEST} to {FASTEST} (1.0 is the voice's own pace), "
        f"received {received}. Send a number in that range or leave it out.",
    )


def _unknown(field: str, received: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(received.lower(), known, n=_NAMES_SHOWN, cutoff=0.5)
    nearest = f"Closest: {', '.join(close)}. " if close else ""
    return (
        f"{field} {received[:80]!r} is not one of the {len(known)} known. {nearest}"
        f"Choose one from GET /voices, or leave {field} out."
    )


def _failed(sentence: Sentence, number: int, choice: VoiceChoice, error: SentenceFailed) -> str:
    """The message of a sentence that espeak-ng cannot speak."""
    shown = repr(sentence.text[:40]) + ("…" if len(sentence.text) > 40 else "")
    return (
        f"the voice {choice.voice} cannot speak sentence {number} of the text, which begins at "
        f"character {sentence.start + 1}, {shown}: it {error}. "
        "Write that sentence in other words, leave it out, or choose another voice."
    )


def _speech(
    text: str, utterance: SynthesizedSpeech, *, lead_s: float, pause_s: float
) -> Speech | None:
    """An utterance at the fixed loudness with exactly `lead_s` of silence before and `pause_s`
    after; None when there is no sound in it."""
    marks, rate = utterance.marks, utterance.sample_rate_hz
    pcm = np.frombuffer(utterance.pcm, np.int16)
    sounding = [index for index, mark in enumerate(marks) if mark.symbol]
    if not sounding:
        return None
    first = marks[sounding[0]].sample - round(lead_s * rate)
    kept = [
        PhonemeMark(mark.sample - first, mark.symbol)
        for mark in marks[sounding[0] : sounding[-1] + 2]
    ]
    if kept[-1].symbol:
        kept.append(PhonemeMark(len(pcm) - first, ""))
    excerpt = _excerpt(pcm, first, first + kept[-1].sample + round(pause_s * rate))
    samples = excerpt.astype(np.float32) / np.float32(32768)
    phonemes = phonemes_of(kept, samples=len(samples), sample_rate_hz=rate)
    return Speech(text, normalize_loudness(samples, rate), rate, phonemes)


def _excerpt(pcm: NDArray[np.int16], start: int, end: int) -> NDArray[np.int16]:
    """pcm[start:end] with zeros where it does not reach."""
    inside = pcm[max(start, 0) : max(end, 0)]
    before = max(-start, 0)
    return np.pad(inside, (before, end - start - before - len(inside)))
