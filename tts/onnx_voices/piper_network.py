"""Network of a Piper voice: numbers of symbols to durations and, in pieces, to sound.

The network (VITS) is cut in two. The front computes the durations and the latents of the whole
sentence; the back, a stack of convolutions, turns the latents into sound. The back's receptive
field is small, so pieces with some context on both sides are equal to the whole sound. That is
checked when a voice is loaded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.noise import NOISE_INPUT, noise, with_noise_input
from tts.onnx_voices.onnx_graph import GraphError, OnnxGraph
from tts.onnx_voices.session import Array, Session

PIECES_S = (0.5, 0.8, 1.2)
"""Length of the first pieces; the last value is that of all later ones."""
_IDS, _LENGTHS, _SCALES, _SPEAKER = "input", "input_lengths", "scales", "sid"
_CONTEXTS = (8, 12, 16, 24, 32)
"""Frames on both sides of a piece that are tried, the cheapest first."""
_SAME = 1e-4
"""Largest inaudible difference between a piece and the whole sound: -80 dB."""
_CHECK_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Scales:
    """Numbers that control a sentence."""

    noise: float
    length: float
    noise_w: float


@dataclass(frozen=True, slots=True)
class Prosody:
    """The first half of the computation of a sentence."""

    durations: NDArray[np.float32]
    """(ids,) frames of each id."""
    frames: int
    latents: Mapping[str, Array]
    """Inputs of the second half."""


class PiperNetwork:
    """A loaded voice. Used by one thread."""

    def __init__(self, model: bytes) -> None:
        """Load an ONNX file; raises BadVoiceFile."""
        try:
            graph = with_noise_input(OnnxGraph.parse(model))
            durations, latent = _durations_of(graph), _latent_of(graph)
            extra = _other_inputs(graph, latent)
            front = graph.part(list(graph.inputs), [durations, latent, *extra])
            back = graph.part([latent, *extra], graph.outputs[:1])
        except GraphError as error:
            raise BadVoiceFile(str(error)) from error
        _check_inputs(graph)
        self._latent, self._extra = latent, extra
        self._front, self._back = Session(front), Session(back)
        self.hop = 0
        """Samples per frame."""
        self._context: int | None = None
        """Frames on both sides of a piece; None if the sound cannot be computed in pieces."""

    def check(self, ids: Sequence[int], scales: Scales) -> None:
        """Speak a short sentence; raises BadVoiceFile if its sound and durations disagree."""
        prosody = self.prosody(ids, scales, seed=0)
        if len(prosody.durations) != len(ids):
            raise BadVoiceFile(
                f"computes {len(prosody.durations)} durations for {len(ids)} symbols"
            )
        sound = self._sound(prosody.latents)
        total = float(prosody.durations.sum())
        self.hop = round(len(sound) / total) if total > 0 else 0
        if self.hop < 1 or len(sound) != self.hop * total or prosody.frames != total:
            raise BadVoiceFile(
                f"computes {len(sound)} samples, which do not match durations of {total:g} frames"
            )
        if not np.isfinite(sound).all():
            raise BadVoiceFile("computes samples that are not numbers")
        self._context = self._find_context(prosody, sound)

    @property
    def streams(self) -> bool:
        """True if the sound can be computed in pieces."""
        return self._context is not None

    def prosody(
        self, ids: Sequence[int], scales: Scales, *, seed: int, speaker: int = 0
    ) -> Prosody:
        """Compute durations and latents; raises BadVoiceFile."""
        inputs: dict[str, Array] = {
            _IDS: np.array([ids], np.int64),
            _LENGTHS: np.array([len(ids)], np.int64),
            _SCALES: np.array([scales.noise, scales.length, scales.noise_w], np.float32),
            _SPEAKER: np.array([speaker], np.int64),
        }
        if NOISE_INPUT in self._front.inputs:
            inputs[NOISE_INPUT] = noise(seed)
        durations, *latents = self._front.run(
            {name: value for name, value in inputs.items() if name in self._front.inputs}
        )
        named = dict(zip((self._latent, *self._extra), latents, strict=True))
        return Prosody(durations.reshape(-1), latents[0].shape[-1], named)

    def pieces(self, prosody: Prosody, *, sample_rate_hz: int) -> Iterator[NDArray[np.float32]]:
        """Yield the (n,) samples of a sentence, piece by piece; raises BadVoiceFile."""
        if self._context is None:
            yield self._sound(prosody.latents)
            return
        start = 0
        lengths = [max(1, round(s * sample_rate_hz / self.hop)) for s in PIECES_S]
        for index in range(prosody.frames):
            if start >= prosody.frames:
                return
            end = start + lengths[min(index, len(lengths) - 1)]
            if prosody.frames - end < lengths[0] // 2:  # a very short last piece costs as much
                end = prosody.frames
            yield self._piece(prosody, start, end, self._context)
            start = end

    def _piece(self, prosody: Prosody, start: int, end: int, context: int) -> NDArray[np.float32]:
        first = max(0, start - context)
        latents = dict(prosody.latents)
        latents[self._latent] = latents[self._latent][..., first : end + context]
        sound = self._sound(latents)
        return sound[(start - first) * self.hop : (end - first) * self.hop]

    def _sound(self, latents: Mapping[str, Array]) -> NDArray[np.float32]:
        return self._back.run(latents)[0].reshape(-1)

    def _find_context(self, prosody: Prosody, sound: NDArray[np.float32]) -> int | None:
        """Return the smallest context with which a piece equals the whole; None if there is none.

        The check sentence is long enough for the largest context.
        """
        if any(prosody.latents[name].shape[-1] != 1 for name in self._extra):
            return None
        start = prosody.frames // 2 - _CHECK_FRAMES // 2
        expected = sound[start * self.hop : (start + _CHECK_FRAMES) * self.hop]
        loudest = max(float(np.abs(sound).max()), _SAME)
        for context in _CONTEXTS:
            if start < context:
                return None
            piece = self._piece(prosody, start, start + _CHECK_FRAMES, context)
            if piece.shape == expected.shape and np.abs(piece - expected).max() < _SAME * loudest:
                return context
        return None


def _check_inputs(graph: OnnxGraph) -> None:
    """Raise BadVoiceFile if the inputs are not those of Piper."""
    needed, known = {_IDS, _LENGTHS, _SCALES}, {_IDS, _LENGTHS, _SCALES, _SPEAKER, NOISE_INPUT}
    if not needed <= set(graph.inputs) <= known:
        raise BadVoiceFile(
            f"is not a voice of Piper: it has the inputs {', '.join(graph.inputs) or 'none'}, "
            f"expected {_IDS}, {_LENGTHS}, {_SCALES} and, with several speakers, {_SPEAKER}"
        )


def _durations_of(graph: OnnxGraph) -> str:
    """Return the tensor with the durations: the output of the one node that rounds up."""
    found = graph.nodes_of("Ceil")
    if len(found) != 1:
        raise GraphError(
            f"has {len(found)} nodes of kind Ceil; a voice of Piper has one, its durations"
        )
    return found[0].outputs[0]


def _latent_of(graph: OnnxGraph) -> str:
    """Return the input of the second half, which begins before the first upsampling."""
    producers = graph.producers()
    upsampling = graph.nodes_of("ConvTranspose")
    if not upsampling:
        raise GraphError("has no node of kind ConvTranspose; a voice of Piper has several")
    name = upsampling[0].inputs[0]
    while name in producers and producers[name].op != "Conv":
        name = producers[name].inputs[0]
    if name not in producers:
        raise GraphError("has no convolution before its first node of kind ConvTranspose")
    return producers[name].inputs[0]


def _other_inputs(graph: OnnxGraph, latent: str) -> list[str]:
    """Return the tensors besides the latent that the second half takes from the first one."""
    second = graph.after([latent])
    variable = graph.after(graph.inputs)
    used = {
        name
        for node in graph.nodes
        if any(output in second and output != latent for output in node.outputs)
        for name in (*node.inputs, *node.captured)
    }
    return sorted(name for name in used if name in variable and name not in second)
