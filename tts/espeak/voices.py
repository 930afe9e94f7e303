"""Voices of espeak-ng: a female and a male voice in each of its languages."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tts.espeak.isolated import IsolatedEspeak
from tts.espeak.marks import phonemes_of
from tts.espeak.results import EspeakLanguage, PhonemeMark, SynthesizedSpeech
from tts.espeak.variants import variant_gender, variants
from tts.languages import DEFAULT_LANGUAGE, bcp47, look_up
from tts.loudness import normalize_loudness
from tts.pauses import CLAUSE_PAUSE_S, LEAD_S, SENTENCE_PAUSE_S
from tts.speech import Speech
from tts.text.pronunciation import omission
from tts.text.sentences import Sentence
from tts.voice import Gender, VoiceChoice, VoiceInfo

LICENCE = "espeak-ng, GPL-3.0-or-later; loaded at run time from the wheel espeakng-loader"
SAMPLE_RATE_HZ = 22_050
NORMAL_RATE_WPM = 170
"""Words per minute at speed 1.0: an unhurried conversation."""

VARIANTS: Mapping[Gender, str] = {"female": "Annie", "male": "Gene"}
"""espeak's variant for each voice, the default first. Of its 104 variants these have the long-term
spectrum closest to human speech, no echo (which smears the stops) and no clipping."""


@dataclass(frozen=True, slots=True)
class _Speaker:
    info: VoiceInfo
    espeak_voice: str
    """Name for espeak: an identifier, `+` and a variant."""
    alias: str
    priorities: Mapping[str, int]
    """Language tag to espeak's priority; a lower value is a better match."""


class EspeakVoices:
    """Implements `tts.family.VoiceFamily` with voices named `espeak:{language}`.

    `espeak:en-us` is female, `espeak:en-us+male` is male, and `espeak:en-us+f3` has a variant of
    espeak. `espeak-en-us-female` is an alias of the first. Sentences of several threads are
    synthesized at the same time. espeak-ng runs in processes of its own, which end on `close` and
    when this process ends.
    """

    prefix = "espeak"

    def __init__(self, espeak: IsolatedEspeak | None = None) -> None:
        """Start and warm up espeak-ng; raises VoiceUnavailable if it cannot be started."""
        self._espeak = espeak or IsolatedEspeak()
        speakers = list(_speakers(self._espeak.languages()))
        self._speakers = {speaker.info.id: speaker for speaker in speakers}
        self._aliases = {speaker.alias: speaker for speaker in speakers}
        self._default_voices = _default_voices(speakers)
        self._warm_up()

    def close(self) -> None:
        """Stop the processes of espeak-ng; sentences in progress and later ones fail."""
        self._espeak.close()

    def infos(self) -> Sequence[VoiceInfo]:
        """Return the female and the male voice of each language, in espeak's order."""
        return [speaker.info for speaker in self._speakers.values()]

    def find(self, name: str) -> VoiceInfo | None:
        """Return the voice with this id or alias, in any case; also one with another variant."""
        speaker = self._speaker(name)
        return None if speaker is None else speaker.info

    def best_for(self, language: str) -> VoiceInfo | None:
        """Return the female voice that matches a tag best; plain `en` means DEFAULT_LANGUAGE."""
        tag = look_up(language, self._default_voices)
        return None if tag is None else self._speakers[self._default_voices[tag]].info

    def prepare(self, voice: str) -> None:
        """Do nothing: all voices are loaded."""

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Synthesize one sentence at the fixed loudness; None if espeak produces no sound."""
        speaker = self._speaker(choice.voice)
        assert speaker is not None
        raw = self._espeak.synthesize(
            sentence.text if sentence.is_end else sentence.text.rstrip(",") + ",",
            voice=speaker.espeak_voice,
            rate_wpm=round(NORMAL_RATE_WPM * choice.speed),
            is_cancelled=is_cancelled,
            pronunciations=sentence.pronunciations,
        )
        pause = SENTENCE_PAUSE_S if sentence.is_end else CLAUSE_PAUSE_S
        speech = _speech(sentence.text, raw, lead_s=LEAD_S, pause_s=pause / choice.speed)
        if speech is not None and raw.omitted:
            return replace(speech, remarks=(omission(raw.omitted, choice.voice),))
        return speech

    def _speaker(self, name: str) -> _Speaker | None:
        lower = name.lower()
        known = self._speakers.get(lower) or self._aliases.get(lower)
        return known or self._with_variant(lower)

    def _with_variant(self, name: str) -> _Speaker | None:
        """Return the speaker of an id with one of espeak's variants, such as `espeak:de+f3`."""
        plain, _, variant = name.partition("+")
        speaker = self._speakers.get(plain)
        known = variants().get(variant)
        if speaker is None or known is None:
            return None
        info = replace(
            speaker.info,
            id=name,
            name=f"{speaker.info.languages[0]}, espeak's variant {known}",
            gender=variant_gender(variant),
        )
        identifier = speaker.espeak_voice.partition("+")[0]
        return replace(speaker, info=info, espeak_voice=f"{identifier}+{known}")

    def _warm_up(self) -> None:
        """Speak once, because espeak reads a language's dictionary at its first sentence."""
        info = self.best_for(DEFAULT_LANGUAGE)
        assert info is not None
        choice = VoiceChoice(voice=info.id, language=DEFAULT_LANGUAGE, speed=1.0)
        self.synthesize(Sentence("Hello.", is_end=True, start=0), choice, lambda: False)


def _speakers(languages: Iterable[EspeakLanguage]) -> Iterator[_Speaker]:
    taken = set[str]()
    for language in languages:
        slug = language.tags[0][1].lower()
        if slug in taken:  # two spellings of Cantonese have the same tag
            slug = language.identifier.rsplit("/", 1)[-1].lower()
        taken.add(slug)
        for gender, variant in VARIANTS.items():
            yield _speaker(language, slug, gender, variant)


def _speaker(language: EspeakLanguage, slug: str, gender: Gender, variant: str) -> _Speaker:
    info = VoiceInfo(
        id=f"espeak:{slug}" if gender == "female" else f"espeak:{slug}+{gender}",
        name=f"{language.name}, {gender}",
        languages=tuple(dict.fromkeys(bcp47(tag) for _, tag in language.tags)),
        gender=gender,
        licence=LICENCE,
        sample_rate_hz=SAMPLE_RATE_HZ,
    )
    return _Speaker(
        info=info,
        espeak_voice=f"{language.identifier}+{variant}",
        alias=f"espeak-{slug}-{gender}",
        priorities={bcp47(tag): priority for priority, tag in reversed(language.tags)},
    )


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
        replace(mark, sample=mark.sample - first) for mark in marks[sounding[0] : sounding[-1] + 2]
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
