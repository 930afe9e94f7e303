"""Embedded voices: espeak-ng, a female and a male voice in each of its languages."""

import difflib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.espeak_results import EspeakLanguage, PhonemeMark, SynthesizedSpeech
from tts.isolated_espeak import IsolatedEspeak, SentenceFailed
from tts.loudness import normalize_loudness
from tts.phonemes import phonemes_of
from tts.speech import Speech
from tts.text.sentences import Sentence, speakable_text, split_sentences
from tts.voice import BadSpeechRequest, UnspeakableSentence, VoiceChoice, VoiceInfo

LICENCE = "espeak-ng, GPL-3.0-or-later; loaded at run time from the wheel espeakng-loader"
DEFAULT_LANGUAGE = "en-US"
NORMAL_RATE_WPM = 170
"""Words per minute at speed 1.0: an unhurried conversation."""
MIN_SPEED, MAX_SPEED = 0.5, 2.0

LEAD_S = 0.06
"""Silence before the first sound, in which the lips can close for an initial /p/."""
SENTENCE_PAUSE_S, CLAUSE_PAUSE_S = 0.32, 0.14
"""Silence after a sentence, and after a piece whose sentence continues, at speed 1.0."""

VARIANTS = {"female": "Annie", "male": "Gene"}
"""espeak's variant for each voice, the default first. Of its 104 variants these have the long-term
spectrum closest to human speech, no echo (which smears the stops) and no clipping."""

_NAMES_SHOWN = 5
_SCRIPT_LETTERS, _REGION_LETTERS = 4, 2


@dataclass(frozen=True, slots=True)
class _Speaker:
    info: VoiceInfo
    espeak_voice: str
    priorities: Mapping[str, int]
    """Language tag to espeak's priority; a lower value is a better match."""


class EspeakVoices:
    """Voices named `espeak-{language}-{female|male}`, as in `espeak-en-us-female`.

    Thread-safe; sentences of several threads are synthesized at the same time. espeak-ng runs in
    processes of its own, which end on `close` and when this process ends.
    """

    def __init__(self, espeak: IsolatedEspeak | None = None) -> None:
        """Start and warm up espeak-ng; raises VoiceUnavailable if it cannot be started."""
        self._espeak = espeak or IsolatedEspeak()
        speakers = list(_speakers(self._espeak.languages()))
        self._speakers = {speaker.info.id: speaker for speaker in speakers}
        self._default_voices = _default_voices(speakers)
        self._warm_up()

    def close(self) -> None:
        """Stop the processes of espeak-ng; sentences in progress and later ones fail."""
        self._espeak.close()

    def infos(self) -> Sequence[VoiceInfo]:
        """Return all voices, in espeak's order of languages."""
        return [speaker.info for speaker in self._speakers.values()]

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        """Check a request and apply the defaults; raises BadSpeechRequest.

        A language alone selects its female voice; an unknown tag is shortened from the right until
        it is known (RFC 4647 lookup: `de-DE` finds `de`). A voice alone speaks its own language.
        """
        pace = _checked_speed(speed)
        if voice is None:
            tag = self._known_language(DEFAULT_LANGUAGE if language is None else language)
            return VoiceChoice(voice=self._default_voices[tag], language=tag, speed=pace)
        info = self._known_voice(voice).info
        return VoiceChoice(voice=info.id, language=_language_of(info, language), speed=pace)

    def speak(self, text: str, choice: VoiceChoice) -> "SpokenText":
        """Yield one `Speech` per sentence of `text`, each synthesized on demand.

        Raises BadSpeechRequest at once if `text` has nothing to speak, and at a sentence that
        espeak-ng cannot speak; VoiceUnavailable if espeak-ng cannot be restarted.
        """
        speakable = speakable_text(text)
        return SpokenText(lambda is_cancelled: self._speak(speakable, choice, is_cancelled))

    def _speak(
        self, text: str, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Iterator[Speech]:
        has_spoken = False
        for number, sentence in enumerate(split_sentences(text), 1):
            try:
                speech = self._sentence(sentence, choice, is_cancelled)
            except SentenceFailed as error:
                raise UnspeakableSentence(
                    voice=choice.voice,
                    number=number,
                    start=sentence.start,
                    sentence=sentence.text,
                    reason=str(error),
                    remedy="Rephrase that sentence, leave it out, or choose another voice.",
                ) from error
            if speech is not None:
                has_spoken = True
                yield speech
        if not has_spoken:
            raise BadSpeechRequest(
                "text",
                f"the voice {choice.voice} has no sounds for the text {text[:40]!r}. "
                "Choose a voice of the text's own language from GET /voices.",
            )

    def _sentence(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Synthesize one sentence at the fixed loudness; None if espeak produces no sound."""
        raw = self._espeak.synthesize(
            sentence.text if sentence.is_end else sentence.text.rstrip(",") + ",",
            voice=self._speakers[choice.voice].espeak_voice,
            rate_wpm=round(NORMAL_RATE_WPM * choice.speed),
            is_cancelled=is_cancelled,
        )
        pause = SENTENCE_PAUSE_S if sentence.is_end else CLAUSE_PAUSE_S
        return _speech(sentence.text, raw, lead_s=LEAD_S, pause_s=pause / choice.speed)

    def _known_voice(self, voice: str) -> _Speaker:
        speaker = self._speakers.get(voice.lower())
        if speaker is None:
            raise BadSpeechRequest("voice", _unknown_message("voice", voice, self._speakers))
        return speaker

    def _known_language(self, language: str) -> str:
        tag = _lookup(language, self._default_voices)
        if tag is None:
            raise BadSpeechRequest(
                "language", _unknown_message("language", language, self._default_voices)
            )
        return tag

    def _warm_up(self) -> None:
        """Speak once, because espeak reads a language's dictionary at its first sentence."""
        for _ in self.speak("Hello.", self.choose()):
            pass


class SpokenText:
    """The sentences of one text. Iterated by one thread; any thread may call `cancel`."""

    def __init__(self, speak: Callable[[Callable[[], bool]], Iterator[Speech]]) -> None:
        self._cancelled = threading.Event()
        self._speeches = speak(self._cancelled.is_set)

    def __iter__(self) -> Iterator[Speech]:
        """Return itself."""
        return self

    def __next__(self) -> Speech:
        """Synthesize the next sentence; raises RequestCancelled soon after `cancel`."""
        return next(self._speeches)

    def cancel(self) -> None:
        """Stop the synthesis of the current sentence."""
        self._cancelled.set()


def bcp47(tag: str) -> str:
    """Return a language tag in the case of RFC 5646: `EN-us` is `en-US`, `fa-latn` is `fa-Latn`."""
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
        if slug in taken:  # two spellings of Cantonese have the same tag
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
    priorities = {bcp47(tag): priority for priority, tag in reversed(language.tags)}
    return _Speaker(info, f"{language.identifier}+{variant}", priorities)


def _default_voices(speakers: Iterable[_Speaker]) -> dict[str, str]:
    """Return the default voice of each language tag: the best match, the first of equal ones.

    Plain `en` means DEFAULT_LANGUAGE; espeak's own priorities would select British English.
    """
    best: dict[str, tuple[int, str]] = {}
    for speaker in speakers:
        for tag, priority in speaker.priorities.items():
            if tag not in best or priority < best[tag][0]:
                best[tag] = (priority, speaker.info.id)
    best["en"] = best[DEFAULT_LANGUAGE]
    return {tag: voice for tag, (_, voice) in best.items()}


def _lookup(tag: str, known: Collection[str]) -> str | None:
    """Look a tag up (RFC 4647): drop subtags from the right until it is known."""
    candidate = bcp47(tag.strip())
    while candidate:
        if candidate in known:
            return candidate
        candidate = candidate.rpartition("-")[0]
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
    elif MIN_SPEED <= speed <= MAX_SPEED:
        return float(speed)
    else:
        received = str(speed)
    raise BadSpeechRequest(
        "speed",
        f"speed must be a number from {MIN_SPEED} to {MAX_SPEED} (1.0 is normal speed), "
        f"received {received}. Send a number in that range or leave it out.",
    )


def _unknown_message(field: str, received: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(received.lower(), known, n=_NAMES_SHOWN, cutoff=0.5)
    nearest = f"Closest: {', '.join(close)}. " if close else ""
    return (
        f"{field} {received[:80]!r} is not one of the {len(known)} known. {nearest}"
        f"Choose one from GET /voices, or leave {field} out."
    )


def _speech(text: str, raw: SynthesizedSpeech, *, lead_s: float, pause_s: float) -> Speech | None:
    """Return the speech at the fixed loudness, between `lead_s` and `pause_s` of silence.

    None if there is no sound in it.
    """
    marks, rate = raw.marks, raw.sample_rate_hz
    pcm = np.frombuffer(raw.pcm, np.int16)
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
    """Return pcm[start:end], padded with zeros outside the array."""
    inside = pcm[max(start, 0) : max(end, 0)]
    before = max(-start, 0)
    return np.pad(inside, (before, end - start - before - len(inside)))
