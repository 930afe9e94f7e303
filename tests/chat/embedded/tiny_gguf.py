"""A GGUF file of 130 kB with a network that llama.cpp runs and that writes a given text.

It has one layer whose outputs are zero, so that the next token depends on the last one alone: each
token's embedding is a random direction, and the output row of its successor is the same direction.
"""

import struct
from collections.abc import Sequence

import numpy as np

END, START = "<|im_end|>", "<|im_start|>"
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}{{ '<|im_start|>assistant\n' }}"
)
_DIMENSIONS, _HIDDEN = 64, 32
_U32, _F32, _STRING, _ARRAY = 4, 6, 8, 9
_I32 = 5
_NORMAL, _CONTROL = 1, 3
_ALIGNMENT = 32

Tensors = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]


def tiny_gguf(words: Sequence[str], *, is_endless: bool = False) -> bytes:
    """Return a model that writes `words` after any prompt, once or again and again.

    No word may occur twice, because a token has one successor, or be a single letter, which has a
    token already.
    """
    byte_tokens = [symbol for _, symbol in sorted(byte_symbols().items())]
    tokens = [*byte_tokens, START, END, *(as_symbols(word) for word in words)]
    first, newline = len(byte_tokens) + 2, byte_symbols()[ord("\n")]
    chain = [*range(first, first + len(words))]
    successors = dict(
        zip([tokens.index(newline), *chain], [*chain, tokens.index(END)], strict=True)
    )
    if is_endless:
        successors[chain[-1]] = chain[0]
    metadata = [
        *(_text("general.architecture", "llama"), _text("general.name", "tiny")),
        *(_number("llama.block_count", 1), _number("llama.context_length", 2048)),
        *(_number("llama.embedding_length", _DIMENSIONS), _number("llama.attention.head_count", 2)),
        *(_number("llama.feed_forward_length", _HIDDEN), _real("llama.rope.freq_base", 10000.0)),
        _real("llama.attention.layer_norm_rms_epsilon", 1e-5),
        *(_text("tokenizer.ggml.model", "gpt2"), _text("tokenizer.ggml.pre", "smollm")),
        _texts("tokenizer.ggml.tokens", tokens),
        _kinds("tokenizer.ggml.token_type", tokens),
        _texts("tokenizer.ggml.merges", [f"{byte_tokens[65]} {byte_tokens[66]}"]),
        _number("tokenizer.ggml.eos_token_id", tokens.index(END)),
        _text("tokenizer.chat_template", TEMPLATE),
    ]
    return gguf(metadata, network(len(tokens), successors))


def network(count: int, successors: dict[int, int]) -> Tensors:
    """Return the tensors, float32."""
    directions = np.random.default_rng(7).standard_normal((count, _DIMENSIONS)).astype(np.float32)
    output = np.zeros((count, _DIMENSIONS), np.float32)
    for token, successor in successors.items():
        output[successor] += directions[token]
    ones, square = (
        np.ones(_DIMENSIONS, np.float32),
        np.zeros((_DIMENSIONS, _DIMENSIONS), np.float32),
    )
    wide = np.zeros((_HIDDEN, _DIMENSIONS), np.float32)
    layer = {
        **{f"attn_{name}.weight": square for name in ("q", "k", "v", "output")},
        **{"ffn_gate.weight": wide, "ffn_up.weight": wide, "ffn_down.weight": wide.T.copy()},
        **{"attn_norm.weight": ones, "ffn_norm.weight": ones},
    }
    return {
        "token_embd.weight": directions,
        "output_norm.weight": ones,
        "output.weight": output,
        **{f"blk.0.{name}": tensor for name, tensor in layer.items()},
    }


def gguf(
    metadata: Sequence[bytes],
    tensors: Tensors,
) -> bytes:
    """Return a file in the format GGUF, version 3."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata)
    data = b""
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]
        head += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", 0, len(data))  # float32
        data += _padded(tensor.tobytes())
    return _padded(head) + data


def byte_symbols() -> dict[int, str]:
    """Return the character that stands for each byte in vocabularies of GPT-2."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {
        byte: chr(256 + index) for index, byte in enumerate(hidden)
    }


def as_symbols(word: str) -> str:
    """Return a word as an entry of such a vocabulary."""
    symbols = byte_symbols()
    return "".join(symbols[byte] for byte in word.encode())


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _text(key: str, value: str) -> bytes:
    return _string(key) + struct.pack("<I", _STRING) + _string(value)


def _number(key: str, value: int) -> bytes:
    return _string(key) + struct.pack("<II", _U32, value)


def _real(key: str, value: float) -> bytes:
    return _string(key) + struct.pack("<If", _F32, value)


def _texts(key: str, values: Sequence[str]) -> bytes:
    head = _string(key) + struct.pack("<IIQ", _ARRAY, _STRING, len(values))
    return head + b"".join(map(_string, values))


def _kinds(key: str, tokens: Sequence[str]) -> bytes:
    kinds = [_CONTROL if token in (START, END) else _NORMAL for token in tokens]
    head = _string(key) + struct.pack("<IIQ", _ARRAY, _I32, len(kinds))
    return head + struct.pack(f"<{len(kinds)}i", *kinds)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
