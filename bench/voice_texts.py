"""A hundred texts of many kinds, spoken by every voice of this machine.

The goal is that none of them crashes a voice, is silent or clips.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.figure import Figure
from bench.odd_texts import ODD_TEXTS
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.markup import check_text
from tts.voice import BadSpeechRequest
from warm.settings import Settings
from warm.voice_factory import configured_voices

_MAX_CHARS = 10_000
_SILENT = 0.01
"""Largest sample below which a sentence is silent; speech reaches 0.2."""
_CLIPPED = 0.9995
_SLOW_S = 20.0
"""Texts that take longer are listed."""


@dataclass(slots=True)
class Findings:
    """Problems that were found, as `voice: problem: text`."""

    spoken: int = 0
    refused: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)


def measure(out: Path) -> list[Figure]:
    """Speak all texts with all voices; the problems and refusals go to `out`."""
    with closing(configured_voices(Settings(), is_loaded=False)) as registry:
        voices = [info.id for info in registry.infos() if info.problem is None and info.is_live]
        findings = speak_all(registry, voices, ODD_TEXTS)
    (out / "voice_texts.txt").write_text("\n".join(_lines(findings)) + "\n", encoding="utf-8")
    name = f"{len(ODD_TEXTS)} texts x {len(voices)} voices: {{}}"
    n = len(ODD_TEXTS) * len(voices)
    return [
        Figure.at_most(name.format("crashes"), len(findings.crashed), "", 0, n),
        Figure.at_most(name.format("silent sentences"), len(findings.silent), "", 0, n),
        Figure.at_most(name.format("clipped sentences"), len(findings.clipped), "", 0, n),
    ]


def speak_all(registry: VoiceRegistry, voices: Sequence[str], texts: Sequence[str]) -> Findings:
    """Speak every text with every voice, at the speed of the voice."""
    findings = Findings()
    for voice in voices:
        for text in texts:
            label = f"{voice}: {text[:60]!r}"
            began_s = time.perf_counter()
            try:
                for speech in _speeches(registry, voice, text):
                    findings.spoken += 1
                    _check(speech, label, findings)
            except BadSpeechRequest as refusal:
                findings.refused.append(f"{label}: {refusal}")
            except Exception as error:  # noqa: BLE001 - the finding
                findings.crashed.append(f"{label}: {error!r}")
            if time.perf_counter() - began_s > _SLOW_S:
                findings.slow.append(label)
    return findings


def _speeches(registry: VoiceRegistry, voice: str, text: str) -> Iterator[Speech]:
    plain = check_text(text, max_chars=_MAX_CHARS, markup="auto")
    for speech in registry.read(plain, registry.choose(voice=voice)):
        yield speech.completed()


def _check(speech: Speech, label: str, findings: Findings) -> None:
    loudest = float(np.abs(speech.samples).max(initial=0.0))
    if not np.isfinite(loudest) or loudest < _SILENT:
        findings.silent.append(f"{label}: {speech.text[:60]!r}")
    if loudest >= _CLIPPED:
        findings.clipped.append(f"{label}: {speech.text[:60]!r}")
    findings.left_out += [f"{label}: {remark}" for remark in speech.remarks]


def _lines(findings: Findings) -> Iterator[str]:
    yield f"{findings.spoken} sentences were spoken"
    for name in ("crashed", "refused", "silent", "clipped", "slow", "left_out"):
        found: list[str] = getattr(findings, name)
        texts = Counter(each.partition(": ")[2] for each in found)
        yield f"\n{name}: {len(found)}"
        yield from (f"  {count} x {text}" for text, count in texts.most_common())
        yield from (f"    {each}" for each in found[:200])
