"""The wheel of Silero's detector of voice activity. Imports the standard library only.

The wheel asks for torch, which its network in the format ONNX does not need: the file is taken out
of the wheel, and the package is not installed.
"""

from stt.pinned_model import PinnedModel, PinnedWheel

NETWORK = "silero_vad_16k_sequence.onnx"
SILERO = PinnedModel(
    name="Silero VAD 6.2.3",
    folder="silero-vad",
    licence="MIT",
    wheels=(
        PinnedWheel(
            requirement="silero-vad==6.2.3",
            sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
            size_bytes=11_317_527,
            module="silero_vad",
            members={
                f"silero_vad/data/{NETWORK}": (
                    "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
                ),
            },
        ),
    ),
)
