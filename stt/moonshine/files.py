"""The wheel of Moonshine. Imports the standard library only.

The wheel brings a native library of its own, with its own copy of onnxruntime. The networks run in
the onnxruntime that is installed already, so only they and the table of tokens are taken.
"""

from stt.pinned_model import PinnedModel, PinnedWheel

ENCODER, DECODER, TOKENS = "encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"
_FOLDER = "moonshine_voice/assets/tiny-en"
MOONSHINE = PinnedModel(
    name="moonshine-tiny-en",
    folder="moonshine-tiny-en",
    licence="MIT",
    languages=("en",),
    wheels=(
        PinnedWheel(
            requirement="moonshine-voice==0.0.73",
            sha256="6461c8097ed78d054c46b4c821143008a07b5fa1f4169674493ccfa06c1407db",
            size_bytes=56_320_672,
            module="moonshine_voice",
            members={
                f"{_FOLDER}/{ENCODER}": (
                    "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221"
                ),
                f"{_FOLDER}/{DECODER}": (
                    "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0"
                ),
                f"{_FOLDER}/{TOKENS}": (
                    "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d"
                ),
            },
        ),
    ),
)
