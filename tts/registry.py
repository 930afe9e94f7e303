"""Registry of voices: finds a voice by name or language, and hands sentences to its family."""

import difflib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from tts.family import VoiceFamily
from tts.languages import DEFAULT_LANGUAGE, look_up
from tts.pauses import CLAUSE_PAUSE_S, SENTENCE_PAUSE_S, with_pauses
from tts.speech import Speech
from tts.spoken_text import SpokenText
from tts.text.plain_text import PlainText, Style
from tts.text.reading import spoken_sentences
from tts.text.scripts import LATIN_LANGUAGE
from tts.text.sentences import Sentence, speakable_text
from tts.voice import BadSpeechRequest, VoiceChoice, VoiceInfo, VoiceUnavailable
from tts.word_times import with_words

AUTO = "auto"
"""The name that selects the best voice of a language."""
MIN_SPEED, MAX_SPEED = 0.5, 2.0

_NAMES_SHOWN = 5

log = logging.getLogger(__name__)


class VoiceRegistry:
    """Implements `tts.voice.Voices` over several families. Thread-safe."""

    def __init__(self, families: Sequence[VoiceFamily], *, fallback: str | None = None) -> None:
        """`families`: the preferred ones first, for `auto`.

        `fallback` names the voice that speaks sentences whose own voice is unavailable; None: such
        a sentence is an error. Raises BadSpeechRequest if there is no such voice.
        """
        self._families = families
        self._fallback = None if fallback is None else self._voice(fallback, "voice_fallback").id

    def close(self) -> None:
        """Stop all families."""
        for family in self._families:
            family.close()

    def infos(self) -> Sequence[VoiceInfo]:
        """Return all listed voices, the preferred families first."""
        return [info for family in self._families for info in family.infos()]

    def prepare(self, voice: str) -> None:
        """Start to load a voice; returns at once."""
        self._family_of(voice).prepare(voice)

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        """Check a request and apply the defaults; raises BadSpeechRequest.

        Without a voice, or with `auto`, the first family that has a usable voice of the language
        provides it. An unknown tag is shortened from the right until it is known (RFC 4647 lookup:
        `de-DE` finds `de`). A voice alone speaks its own language.
        """
        pace = _checked_speed(speed)
        if voice is None or voice.strip().lower() == AUTO:
            return self._best_voice(DEFAULT_LANGUAGE if language is None else language, pace)
        info = self._voice(voice, "voice")
        return VoiceChoice(voice=info.id, language=_language_of(info, language), speed=pace)

    def for_rehearsal(self, choice: VoiceChoice) -> VoiceChoice | None:
        """Return the choice, or the best voice of this machine that need not be loaded.

        Startup must not wait for a voice that is loaded in the background or for another server,
        and must not cost anything there. None if there is no such voice.
        """
        chosen = self._find(choice.voice)
        if chosen is not None and _is_resident(chosen):
            return choice
        for language in (choice.language, DEFAULT_LANGUAGE):
            for info in filter(_is_resident, self._candidates(language)):
                tag = look_up(language, info.languages) or info.languages[0]
                return VoiceChoice(voice=info.id, language=tag, speed=choice.speed)
        return None

    def speak(self, text: str, choice: VoiceChoice) -> SpokenText:
        """Yield one `Speech` per sentence of `text`, each synthesized on demand.

        Raises BadSpeechRequest at once if `text` has nothing to speak.
        """
        return self.read(PlainText.of(speakable_text(text)), choice)

    def read(self, text: PlainText, choice: VoiceChoice) -> SpokenText:
        """Speak a text whose parts may have languages, voices, speeds and pauses of their own."""

        def synthesize(sentence: Sentence, is_cancelled: Callable[[], bool]) -> Speech | None:
            return self._spoken(text.text, sentence, choice, is_cancelled)

        sentences = spoken_sentences(text, choice.language, self._language_of_voice)
        return SpokenText(text.text, sentences, synthesize, voice=choice.voice)

    def check(self, style: Style, choice: VoiceChoice) -> None:
        """Raise BadSpeechRequest unless a part of a text can be spoken in a style."""
        self._styled(style.voice, style.language, style.rate, choice)

    def _spoken(
        self, text: str, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Return a sentence of a text in its own voice and language, with its own pauses."""
        try:
            own = self._styled(sentence.voice, sentence.language, sentence.rate, choice)
        except BadSpeechRequest:  # no voice reads the script of these words
            return None
        speech = self._synthesize(sentence, own, is_cancelled)
        if speech is None:
            return None
        if own.voice != choice.voice and speech.voice is None:
            speech = replace(speech, voice=own.voice)
        usual_s = (SENTENCE_PAUSE_S if sentence.is_end else CLAUSE_PAUSE_S) / own.speed
        padded = with_pauses(
            speech, before_s=sentence.pause_before_s, after_s=sentence.pause_s, usual_s=usual_s
        )
        pause_s = usual_s if sentence.pause_s is None else sentence.pause_s
        timed = with_words(padded, text, sentence, pause_s)
        return replace(timed, text=timed.text if sentence.shown is None else sentence.shown)

    def _styled(
        self,
        voice: str | None,
        language: str | None,
        rate: float,
        choice: VoiceChoice,
    ) -> VoiceChoice:
        """Return the choice for a part of a text that names a voice or a language.

        A language that the voice lacks is spoken by the best voice of that language. Raises
        BadSpeechRequest if there is none.
        """
        speed = min(max(choice.speed * rate, MIN_SPEED), MAX_SPEED)
        if voice is not None:
            return self.choose(voice=voice, language=language, speed=speed)
        if language is None:
            return replace(choice, speed=speed)
        own = look_up(language, self._voice(choice.voice, "voice").languages)
        if own is not None:
            return replace(choice, language=own, speed=speed)
        if language == LATIN_LANGUAGE and next(self._candidates(language), None) is None:
            return replace(choice, speed=speed)  # all voices can read Latin letters
        return self._best_voice(language, speed, like=choice.voice)

    def _language_of_voice(self, voice: str) -> str:
        return self._voice(voice, "voice").languages[0]

    def _synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        family = self._family_of(choice.voice)
        try:
            return family.synthesize(sentence, choice, is_cancelled)
        except VoiceUnavailable as error:
            if self._fallback in (None, choice.voice):
                raise
            return self._fall_back(sentence, choice, error, is_cancelled)

    def _fall_back(
        self,
        sentence: Sentence,
        choice: VoiceChoice,
        error: VoiceUnavailable,
        is_cancelled: Callable[[], bool],
    ) -> Speech | None:
        """Speak a sentence with the fallback voice, and say so in the `Speech`."""
        assert self._fallback is not None
        log.warning("%s; %s speaks instead", error, self._fallback, extra={"voice": choice.voice})
        info = self._voice(self._fallback, "voice_fallback")
        language = look_up(choice.language, info.languages) or info.languages[0]
        substitute = replace(choice, voice=info.id, language=language)
        speech = self._family_of(info.id).synthesize(sentence, substitute, is_cancelled)
        if speech is None:
            return None
        remark = f"the voice {choice.voice} is unavailable ({error}); {info.id} spoke instead"
        return replace(speech, voice=info.id, remarks=(*speech.remarks, remark))

    def _best_voice(self, language: str, speed: float, *, like: str | None = None) -> VoiceChoice:
        """Return the best voice of a language, if possible of the gender of the voice `like`."""
        for info in self._candidates(language):
            tag = look_up(language, info.languages)
            if tag is not None and info.problem is None and info.is_live:
                voice = info if like is None else self._of_gender(info, language, like)
                return VoiceChoice(voice=voice.id, language=tag, speed=speed)
        known = {tag for info in self.infos() for tag in info.languages}
        raise BadSpeechRequest("language", _unknown_message("language", language, known))

    def _of_gender(self, info: VoiceInfo, language: str, like: str) -> VoiceInfo:
        """Return a voice of the family and language of `info` with the gender of another voice."""
        gender = self._voice(like, "voice").gender
        if gender in (info.gender, "unknown"):
            return info
        for other in self._family_of(info.id).infos():
            is_usable = other.problem is None and other.is_live and other.gender == gender
            if is_usable and look_up(language, other.languages) in info.languages:
                return other
        return info

    def _candidates(self, language: str) -> Iterator[VoiceInfo]:
        for family in self._families:
            best = family.best_for(language)
            if best is not None:
                yield best

    def _voice(self, name: str, field: str) -> VoiceInfo:
        info = self._find(name.strip())
        if info is None:
            known = [info.id for info in self.infos()]
            raise BadSpeechRequest(field, _unknown_message(field, name, known))
        if info.problem is not None:
            raise BadSpeechRequest(
                field, f"the voice {info.id} cannot speak at present: {info.problem}"
            )
        return info

    def _find(self, name: str) -> VoiceInfo | None:
        found = (family.find(name) for family in self._families)
        return next((info for info in found if info is not None), None)

    def _family_of(self, voice: str) -> VoiceFamily:
        prefix = voice.partition(":")[0]
        return next(family for family in self._families if family.prefix == prefix)


def _is_resident(info: VoiceInfo) -> bool:
    """Return True if a voice can speak at once, on this machine."""
    return not info.is_remote and not info.loads and info.problem is None


def _language_of(info: VoiceInfo, language: str | None) -> str:
    if language is None:
        return info.languages[0]
    tag = look_up(language, info.languages)
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


def _unknown_message(field: str, received: str, known: Iterable[str]) -> str:
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(received.lower(), names, n=_NAMES_SHOWN, cutoff=0.5)
    nearest = f"Closest: {', '.join(names[name] for name in close)}. " if close else ""
    return (
        f"{field} {received[:80]!r} is not one of the {len(names)} known. {nearest}"
        f"Choose one from GET /voices, or leave {field} out."
    )
