"""Whisper in ctranslate2: pieces of speech to text."""

import json
from pathlib import Path
from typing import Any

import ctranslate2
from tokenizers import Tokenizer

from stt.pins import PinnedModel
from stt.recogniser import Samples
from stt.repetition import loop_start
from stt.speech_model import Recognised
from stt.whisper.spectrogram import log_mel

MAX_TOKENS = 120
"""Longest text of a piece: 18 s of quick speech have about 80. Whisper loops on sound that has no
words, up to 448."""
START, TRANSCRIBE, NO_TIMES, END = (
    "<|startoftranscript|>",
    "<|transcribe|>",
    "<|notimestamps|>",
    "<|endoftext|>",
)


class WhisperNetwork:
    """The network and its tokens. Used by one thread."""

    def __init__(self, model: PinnedModel, folder: Path, *, threads: int) -> None:
        """`folder`: that of the models."""
        files = {Path(parts[0]).name: joined(folder, parts) for parts in model.files}
        self._tokenizer = Tokenizer.from_buffer(files["tokenizer.json"])
        weights = {name.removesuffix(".part1"): content for name, content in files.items()}
        self._suppressed: list[int] = json.loads(weights["config.json"])["suppress_ids"]
        self._model = ctranslate2.models.Whisper(
            model.name,
            device="cpu",
            compute_type="int8",
            inter_threads=1,
            intra_threads=threads,
            files=weights,
        )
        self._end = self._tokenizer.token_to_id(END)

    def recognise(self, samples: Samples, language: str | None) -> Recognised:
        """Return the words of a piece; without a language the network detects it."""
        features = ctranslate2.StorageView.from_array(log_mel(samples))
        encoded = self._model.encode(features)
        spoken = self._language(encoded, language)
        result = self._model.generate(
            encoded,
            [self._prompt(spoken)],
            beam_size=1,
            sampling_temperature=0,
            max_length=MAX_TOKENS,
            return_scores=True,
            suppress_tokens=self._suppressed,
        )[0]
        numbers = [each for each in result.sequences_ids[0] if each < self._end]
        kept = first_loop(numbers)
        text: str = self._tokenizer.decode(numbers[:kept], skip_special_tokens=True)
        return Recognised(text=text.strip(), language=spoken, score=float(result.scores[0]))

    def _language(self, encoded: Any, language: str | None) -> str:
        """Return the language code of a piece."""
        if not self._model.is_multilingual:
            return "en"
        if language is not None:
            code = language.split("-")[0].lower()
            if self._tokenizer.token_to_id(f"<|{code}|>") is not None:
                return code
        found: list[tuple[str, float]] = self._model.detect_language(encoded)[0]
        return found[0][0].strip("<|>")

    def _prompt(self, language: str) -> list[int | None]:
        tokens = [START, NO_TIMES]
        if self._model.is_multilingual:
            tokens[1:1] = [f"<|{language}|>", TRANSCRIBE]
        return [self._tokenizer.token_to_id(each) for each in tokens]


def first_loop(numbers: list[int]) -> int:
    """Return the number of tokens before the repetitions of the first loop."""
    for count in range(1, len(numbers) + 1):
        kept = loop_start(numbers[:count])
        if kept < count:
            return kept
    return len(numbers)


def joined(folder: Path, parts: tuple[str, ...]) -> bytes:
    """Return the bytes of a file that is stored in parts."""
    return b"".join((folder / part).read_bytes() for part in parts)
