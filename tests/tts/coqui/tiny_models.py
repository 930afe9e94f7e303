"""Tiny models of coqui-tts with random weights; run by a Python that has the package.

`python -m tests.tts.coqui.tiny_models FOLDER` writes `letters`, `phonemes`, `clones` (VITS) and
`encoder`, a network that recognizes speakers.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tts.coqui.espeak_phonemizer import use_library
from tts.coqui.torchaudio_import import import_torchaudio

SPEAKERS = ("low", "high")
EMBEDDING = 8


def main(folder: Path) -> None:
    """Write all models."""
    import_torchaudio()
    use_library()
    import_module("torch").manual_seed(5)
    write_encoder(folder / "encoder")
    write_vits(folder / "letters", {}, {})
    speakers = folder / "phonemes" / "speakers.json"
    write(speakers, dict(zip(SPEAKERS, range(2), strict=True)))
    phonemes = {"use_phonemes": True, "phonemizer": "espeak", "phoneme_language": "en-us"}
    named = {"use_speaker_embedding": True, "num_speakers": 2, "speakers_file": str(speakers)}
    write_vits(folder / "phonemes", phonemes | {"text_cleaner": "phoneme_cleaners"}, named)
    vectors = folder / "clones" / "speakers.json"
    write(
        vectors,
        {
            f"clip {index}": {"name": name, "embedding": [float(index)] * EMBEDDING}
            for index, name in enumerate(SPEAKERS)
        },
    )
    cloned = {
        **{"use_d_vector_file": True, "d_vector_file": [str(vectors)], "d_vector_dim": EMBEDDING},
        "speaker_encoder_model_path": str(folder / "encoder" / "model.pth"),
        "speaker_encoder_config_path": str(folder / "encoder" / "config.json"),
    }
    write_vits(folder / "clones", {}, cloned)


def write(path: Path, content: Any) -> None:
    """Write JSON into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_vits(folder: Path, config: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Write a VITS of 260,000 weights."""
    torch, models = import_module("torch"), import_module("TTS.tts.models.vits")
    described = import_module("TTS.tts.configs.vits_config").VitsConfig(
        text_cleaner="basic_cleaners"
    )
    small = {
        **{"hidden_channels": 16, "hidden_channels_ffn_text_encoder": 32},
        **{"num_layers_text_encoder": 1, "num_layers_flow": 1, "num_layers_posterior_encoder": 1},
        **{"upsample_initial_channel_decoder": 32, "resblock_kernel_sizes_decoder": [3]},
        **{"resblock_dilation_sizes_decoder": [[1, 3, 5]], "upsample_rates_decoder": [8, 8, 4]},
        **{"upsample_kernel_sizes_decoder": [16, 16, 8], "use_sdp": False},
        "init_discriminator": False,
    }
    for name, value in (small | arguments).items():
        setattr(described.model_args, name, value)
    for name, value in config.items():
        setattr(described, name, value)
    for name, value in arguments.items():
        if name in described:
            setattr(described, name, value)
    model = models.Vits(described)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    described.save_json(str(folder / "config.json"))


def write_encoder(folder: Path) -> None:
    """Write a small network that turns a recording into EMBEDDING numbers."""
    torch, utils = import_module("torch"), import_module("TTS.encoder.utils.generic_utils")
    settings = import_module("TTS.encoder.configs.speaker_encoder_config").SpeakerEncoderConfig()
    settings.model_params = {
        **{"model_name": "lstm", "input_dim": 80, "proj_dim": EMBEDDING, "lstm_dim": 16},
        **{"num_lstm_layers": 1, "use_lstm_with_projection": True},
    }
    settings.audio.num_mels = 80
    for name in ("num_loader_workers", "num_classes_in_batch", "num_utter_per_class"):
        setattr(settings, name, 1)
    model = utils.setup_encoder_model(settings)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    settings.save_json(str(folder / "config.json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
