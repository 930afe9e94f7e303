"""Moonshine's networks: an encoder of the sound, and a decoder that yields token after token."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stt.moonshine.tokens import read_tokens, text_of
from stt.onnx_network import OnnxNetwork
from stt.pins import MOONSHINE
from stt.recogniser import RATE_HZ, Samples
from stt.repetition import loop_start
from stt.speech_model import Recognised

FIRST, LAST = 1, 2
"""Numbers of the tokens that begin and end every sequence."""
TOKENS_PER_S = 6.5
"""Most tokens for a second of sound; the model was trained with this limit against loops."""
SPARE_TOKENS = 3
HEADS, HEAD_SIZE = 8, 36
PAST, PRESENT = "past_key_values", "present"


class MoonshineNetwork:
    """Both networks and the tokens. Used by one thread."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        """`folder`: that of the models."""
        encoder, decoder, tokens = (folder / parts[0] for parts in MOONSHINE.files)
        self._encoder = OnnxNetwork(encoder, threads=threads)
        self._decoder = OnnxNetwork(decoder, threads=threads)
        self._tokens = read_tokens(tokens)
        self._past = [name for name in self._decoder.inputs if name.startswith(PAST)]

    def recognise(self, samples: Samples, language: str | None) -> Recognised:  # noqa: ARG002 - English only
        """Return the words of a piece of sound."""
        sound = samples[np.newaxis]
        mask = np.ones(sound.shape, np.int64)
        (states,) = self._encoder.run({"input_values": sound, "attention_mask": mask})
        numbers, scores = self._decode(states, mask, most_tokens(len(samples)))
        kept = loop_start(numbers)
        return Recognised(
            text=text_of(self._tokens, numbers[:kept]),
            language="en",
            score=float(np.mean(scores)) if scores else 0.0,
        )

    def _decode(
        self, states: NDArray[np.float32], mask: NDArray[np.int64], most: int
    ) -> tuple[list[int], list[float]]:
        """Return the most probable tokens one by one, and the logarithm of the probability of
        each."""
        past: dict[str, NDArray[Any]] = {
            name: np.zeros((1, HEADS, 0, HEAD_SIZE), np.float32) for name in self._past
        }
        numbers, scores = list[int](), list[float]()
        while len(numbers) < most:
            token = numbers[-1] if numbers else FIRST
            logits, past = self._step(token, states, mask, past, is_first=not numbers)
            best = int(logits.argmax())
            scores.append(-float(np.logaddexp.reduce(logits - logits[best])))
            if best == LAST or loop_start(numbers) < len(numbers):
                break
            numbers.append(best)
        return numbers, scores

    def _step(
        self,
        token: int,
        states: NDArray[np.float32],
        mask: NDArray[np.int64],
        past: Mapping[str, NDArray[Any]],
        *,
        is_first: bool,
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]]]:
        """Return the logits of the next token, (n,), and the keys and values up to this one.

        Those of the encoder's states are computed by the first step, and are empty in the outputs
        of later ones.
        """
        outputs = self._decoder.run(
            {
                "input_ids": np.array([[token]], np.int64),
                "encoder_hidden_states": states,
                "encoder_attention_mask": mask,
                "use_cache_branch": np.array([not is_first]),
                **past,
            }
        )
        present = dict(past)
        for name, value in zip(self._decoder.outputs[1:], outputs[1:], strict=True):
            if is_first or ".decoder." in name:
                present[name.replace(PRESENT, PAST)] = value
        return outputs[0][0, -1], present


def most_tokens(samples: int) -> int:
    """Return the most tokens for a piece of sound."""
    return math.ceil(TOKENS_PER_S * samples / RATE_HZ) + SPARE_TOKENS
