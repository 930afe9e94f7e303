"""Answers of servers: JSON of OpenAI's formats `json` and `verbose_json`, or plain text."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stt.errors import RecogniserFailed
from stt.recogniser import Segment, Transcript

NO_SPEECH, UNCERTAIN = 0.6, -1.0
"""Whisper's own rule: a segment is silence if its `no_speech_prob` is above the first and its
`avg_logprob` below the second."""
MARKS = re.compile(r"\[[^\]]{0,40}\]|\([^)]{0,40}\)|♪")
"""Descriptions of sounds, such as "[BLANK_AUDIO]" and "(upbeat music)"."""
CODES = {
    **{"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it"},
    **{"portuguese": "pt", "dutch": "nl", "polish": "pl", "russian": "ru", "turkish": "tr"},
    **{"ukrainian": "uk", "swedish": "sv", "danish": "da", "norwegian": "no", "finnish": "fi"},
    **{"czech": "cs", "greek": "el", "hungarian": "hu", "romanian": "ro", "arabic": "ar"},
    **{"hindi": "hi", "chinese": "zh", "japanese": "ja", "korean": "ko", "vietnamese": "vi"},
}
"""Codes of the names that OpenAI's servers answer with."""
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z]+)?")


def transcript_of(body: str, *, model: str, language: str | None, duration_s: float) -> Transcript:
    """Return the transcript in the body of an answer; raises RecogniserFailed."""
    answer = members_of(body)
    found = answer.get("segments")
    reported: list[Any] = found if isinstance(found, list) else []
    segments = tuple(speech_segments(reported))
    text = " ".join(each.text for each in segments) if reported else words_of(answer["text"])
    spoken_s = sum(each.end_s - each.start_s for each in segments) or duration_s
    return Transcript(
        text=text,
        language=language or code_of(answer.get("language")),
        model=model,
        duration_s=duration_s,
        speech_s=min(spoken_s, duration_s) if text else 0.0,
        segments=segments,
    )


def members_of(body: str) -> Mapping[str, Any]:
    """Return the members of an answer; plain text counts as `text`."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        if body.lstrip().startswith(("<", "{", "[")):
            raise bad_answer(body) from None
        return {"text": body}
    if isinstance(answer, str):
        return {"text": answer}
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise bad_answer(body)
    return answer


def speech_segments(reported: list[Any]) -> Iterator[Segment]:
    """Yield the segments with words."""
    for each in reported:
        if not isinstance(each, dict) or is_silence(each):
            continue
        text = words_of(str(each.get("text", "")))
        start_s, end_s = number(each.get("start")) or 0.0, number(each.get("end")) or 0.0
        if text:
            yield Segment(start_s, max(end_s, start_s), text)


def is_silence(segment: Mapping[str, Any]) -> bool:
    """Return True if the server itself found no speech in a segment."""
    no_speech, score = number(segment.get("no_speech_prob")), number(segment.get("avg_logprob"))
    if no_speech is None or score is None:
        return False
    return no_speech > NO_SPEECH and score < UNCERTAIN


def words_of(text: str) -> str:
    """Return a text without descriptions of sounds, on one line; empty without words."""
    plain = " ".join(MARKS.sub(" ", text).split())
    return plain if any(each.isalnum() for each in plain) else ""


def number(value: object) -> float | None:
    """Return a number of JSON; None for anything else."""
    return float(value) if isinstance(value, int | float) else None


def code_of(language: object) -> str | None:
    """Return the code of a language in an answer; None if it is not known."""
    name = language.strip() if isinstance(language, str) else ""
    return CODES.get(name.lower()) or (name if _CODE.fullmatch(name) else None)


def bad_answer(body: str) -> RecogniserFailed:
    """Return the error of an answer that is no transcript."""
    return RecogniserFailed(
        f"The answer of the recognition server is no transcript: {' '.join(body.split())[:120]!r}. "
        "Check the setting transcriber: it must be the address of an OpenAI-compatible server."
    )
