"""OpenAI's formats of transcripts: JSON, text, and two kinds of subtitles."""

import math
from typing import Any, Literal

from flask import Response, jsonify

from stt.recogniser import Segment, Transcript

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]
SRT, VTT = "application/x-subrip", "text/vtt"


def formatted(transcript: Transcript, kind: Format) -> Response:
    """Return a transcript in a format."""
    if kind == "text":
        return Response(f"{transcript.text}\n", mimetype="text/plain")
    if kind == "srt":
        return Response(srt(cues_of(transcript)), mimetype=SRT)
    if kind == "vtt":
        return Response(vtt(cues_of(transcript)), mimetype=VTT)
    return jsonify(verbose_json(transcript) if kind == "verbose_json" else plain_json(transcript))


def plain_json(transcript: Transcript) -> dict[str, Any]:
    """JSON of the words."""
    seconds = math.ceil(transcript.duration_s)
    return {"text": transcript.text, "usage": {"type": "duration", "seconds": seconds}}


def verbose_json(transcript: Transcript) -> dict[str, Any]:
    """JSON of the words and the times of their parts."""
    return {
        "task": "transcribe",
        "language": transcript.language or "",
        "duration": round(transcript.duration_s, 3),
        **plain_json(transcript),
        "segments": [
            {"id": number, "start": round(each.start_s, 3), "end": round(each.end_s, 3)}
            | {"text": each.text}
            for number, each in enumerate(cues_of(transcript))
        ],
    }


def cues_of(transcript: Transcript) -> list[Segment]:
    """Return the parts of a transcript; all of it if the recogniser reports no times."""
    if transcript.segments or not transcript.text:
        return list(transcript.segments)
    return [Segment(0.0, transcript.duration_s, transcript.text)]


def srt(cues: list[Segment]) -> str:
    """Return cues in the format SubRip."""
    return "".join(
        f"{number}\n{stamp(each.start_s, ',')} --> {stamp(each.end_s, ',')}\n{each.text}\n\n"
        for number, each in enumerate(cues, 1)
    )


def vtt(cues: list[Segment]) -> str:
    """Return cues in the format WebVTT."""
    parts = (
        f"{stamp(each.start_s, '.')} --> {stamp(each.end_s, '.')}\n{escaped(each.text)}\n\n"
        for each in cues
    )
    return "WEBVTT\n\n" + "".join(parts)


def escaped(text: str) -> str:
    """Return a text for WebVTT."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def stamp(seconds: float, point: str) -> str:
    """Return a time as hours, minutes, seconds and milliseconds."""
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
