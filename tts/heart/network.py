"""The network of the voice `heart`, in two halves: prosody of a whole sentence, sound in pieces.

The network is that of hibari-tts. Its graph is cut where the features of a sentence are complete:
text features, pitch and energy of each frame. What follows are convolutions, which see
`CONTEXT_FRAMES` frames to either side. So the second half runs on a part of the sentence, and the
first sound is ready long before the last.
"""

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tts.heart.graph import FLOAT, INT64, OnnxGraph, TensorSpec
from tts.heart.vocoder import BINS, BRANCHES, HOP, LATENCY_FRAMES, Vocoder
from tts.voice import VoiceUnavailable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PACKAGE = "hibari-tts==0.2.1"
UNIT_FRAMES = 2
"""Frames of one unit of a duration: 25 ms."""
UNIT_SAMPLES = UNIT_FRAMES * HOP
MAX_SYMBOLS = 240
"""Symbols of one call: about 14 s of speech. The time that the first half takes grows with the
square of their number; these take 30 ms."""
MIN_SPEED, MAX_SPEED = 0.5, 2.0
CONTEXT_FRAMES = 27
"""Frames on either side that influence a frame: nine convolutions that see three each."""
PIECE_FRAMES = (64, 96, 128, 160)
"""Frames of the pieces; the last number repeats. The first piece lasts 0.8 s."""

MIN_PIECE_FRAMES = 24
"""A shorter rest is added to the piece before it."""

_SHA256 = {
    "hibari.onnx": "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
    "vocab.json": "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d",
}
_IDS = TensorSpec("ids", INT64, (1, "symbols"))
_SPEED = TensorSpec("speed", FLOAT, (1,))
_DURATIONS = TensorSpec("/Clip_output_0", FLOAT, ("symbols",))
_PITCH = TensorSpec("f0", FLOAT, (1, "frames"))
_ENERGY = TensorSpec("/Mul_62_output_0", FLOAT, (1, "frames"))
_FEATURE_ROWS = 130
_FEATURES = TensorSpec("/Concat_43_output_0", FLOAT, (1, _FEATURE_ROWS, "frames"))
_SPECTRUM = TensorSpec("/head/Add_output_0", FLOAT, (1, "frames", BRANCHES * BINS))
_PAD = 0
_ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True, eq=False)
class Prosody:
    """Times, melody and loudness of a sentence, before its sound exists."""

    symbols: str
    """The symbols that the network knows, in order."""
    durations: NDArray[np.int64]
    """(symbols + 2,) in units of UNIT_SAMPLES; the first and the last are the silence around."""
    pitch_hz: NDArray[np.float32]
    """(frames,) 0 or less where unvoiced."""
    energy: NDArray[np.float32]
    """(frames,) loudness on a logarithmic scale of the network's own."""
    features: NDArray[np.float32]
    """(1, 130, frames) input of the second half."""

    @property
    def frames(self) -> int:
        """Number of frames of HOP samples."""
        return len(self.pitch_hz)

    @property
    def samples(self) -> int:
        """Number of samples of the whole sound."""
        return self.frames * HOP


class HeartNetwork:
    """The two halves of the network. Thread-safe; the same input gives the same bits."""

    def __init__(self, folder: Path | None = None) -> None:
        """Load the network from the folder of its files, by default the installed package's.

        Raises VoiceUnavailable if a file is missing or not the expected one.
        """
        content = _read_files(folder or _package_folder())
        self._ids: Mapping[str, int] = json.loads(content["vocab.json"])
        graph = OnnxGraph(content["hibari.onnx"])
        prosody = (_DURATIONS, _PITCH, _ENERGY, _FEATURES)
        self._prosody = _session(graph.cut((_IDS, _SPEED), prosody))
        self._decoder = _session(graph.cut((_FEATURES,), (_SPECTRUM,)))

    def known(self, symbols: str) -> str:
        """Return the symbols that the network knows."""
        return "".join(symbol for symbol in symbols if symbol in self._ids)

    def prosody(self, symbols: str, speed: float = 1.0) -> Prosody:
        """Return the prosody of a sentence of 1 to MAX_SYMBOLS symbols; unknown ones are left out.

        Raises ValueError if there are none or too many, or if the speed is out of range.
        """
        known = self.known(symbols)
        _check(known, speed)
        ids = [_PAD, *(self._ids[symbol] for symbol in known), _PAD]
        durations, pitch, energy, features = self._prosody.run(
            [spec.name for spec in (_DURATIONS, _PITCH, _ENERGY, _FEATURES)],
            {
                _IDS.name: np.array([ids], np.int64),
                _SPEED.name: np.array([speed], np.float32),
            },
        )
        return Prosody(known, durations.astype(np.int64), pitch[0], energy[0], features)

    def pieces(
        self, prosody: Prosody, *, first_hop: int = 0, hops: int | None = None, seed: int = 0
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the sound from `first_hop` on, in pieces of whole hops, each made when asked for.

        Without `hops` it continues to the end of the sentence.
        """
        last_hop = prosody.frames if hops is None else min(first_hop + hops, prosody.frames)
        vocoder = Vocoder(prosody.pitch_hz, first_hop=first_hop, seed=seed)
        for begin, end in _piece_limits(first_hop, last_hop):
            frames = min(end + LATENCY_FRAMES, prosody.frames)
            predicted = self._decode(prosody.features, vocoder.next_frame, frames)
            yield vocoder.samples(predicted)[: (end - begin) * HOP]

    def _decode(self, features: NDArray[np.float32], begin: int, end: int) -> NDArray[np.float32]:
        """Return the (frames, BRANCHES * BINS) predictions of the frames from `begin` to `end`."""
        first = max(begin - CONTEXT_FRAMES, 0)
        inside = features[:, :, first : end + CONTEXT_FRAMES]
        (spectrum,) = self._decoder.run([_SPECTRUM.name], {_FEATURES.name: inside})
        predicted: NDArray[np.float32] = spectrum[0, begin - first : end - first]
        return predicted


def _piece_limits(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the first hop of each piece, and the hop after its last one."""
    sizes = chain(PIECE_FRAMES, repeat(PIECE_FRAMES[-1]))
    begin = first
    while begin < last:
        end = begin + next(sizes)
        if last - end < MIN_PIECE_FRAMES:
            end = last
        yield begin, end
        begin = end


def _check(symbols: str, speed: float) -> None:
    if not 1 <= len(symbols) <= MAX_SYMBOLS:
        raise ValueError(
            f"symbols must be 1 to {MAX_SYMBOLS} that the network knows, received {len(symbols)}. "
            "Divide the sentence."
        )
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise ValueError(f"speed must be from {MIN_SPEED} to {MAX_SPEED}, received {speed}.")


def _session(model: bytes) -> "InferenceSession":
    """Return the network of one thread; imports onnxruntime."""
    import onnxruntime  # noqa: PLC0415 - takes 0.1 s and 17 MB, for processes that speak only

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _package_folder() -> Path:
    """Return the folder of the installed files, without importing the package."""
    found = importlib.util.find_spec("hibari")
    if found is None or found.origin is None:
        raise VoiceUnavailable(
            f"the voice heart needs the package {PACKAGE}, which is not installed. "
            f"Install it with `pip install {PACKAGE}`."
        )
    return Path(found.origin).parent / "assets"


def _read_files(folder: Path) -> dict[str, bytes]:
    """Return the checked content of the files; raises VoiceUnavailable."""
    return {name: _read(folder / name, digest) for name, digest in _SHA256.items()}


def _read(path: Path, expected: str) -> bytes:
    remedy = f"Install it again with `pip install --force-reinstall {PACKAGE}`."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VoiceUnavailable(
            f"the voice heart cannot read {path}: {error.strerror}. {remedy}"
        ) from error
    received = hashlib.sha256(content).hexdigest()
    if received != expected:
        raise VoiceUnavailable(
            f"{path} has the SHA-256 {received}, expected {expected} of {PACKAGE}. {remedy}"
        )
    return content
