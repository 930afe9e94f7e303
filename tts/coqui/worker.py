"""Process of one Coqui model: `tts.workers.stream_worker` with coqui-tts.

The description of the model (`CoquiModel.to_json`) is the second argument. Requests are
`{"describe": true}` and `{"text", "speaker", "language", "speed"}`; answers are one message each.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Message
from tts.coqui.espeak_phonemizer import use_library
from tts.coqui.hub import local_model
from tts.coqui.torchaudio_import import import_torchaudio
from tts.languages import bcp47
from tts.voice import SentenceFailed
from tts.workers.listener import SOUND_S
from tts.workers.stream_worker import run

STEP_CPU_S = 100.0
"""Processor time of a sentence; large models take many times the duration of its sound."""
MEMORY_BYTES = 1 << 33
MAX_SOUND_S = 120.0
REHEARSAL_START, REHEARSAL = "Hello.", "How are you today?"
SEED = 1
"""The same text always sounds the same."""

_ALIGNED_PHONEMIZERS = frozenset(["espeak", "gruut"])
"""Phonemizers whose symbols are IPA."""


class CannotClone(RuntimeError):
    """A model cannot clone the voice of a recording."""


def main() -> None:
    """Load the model and answer requests until stdin is closed."""
    description = json.loads(sys.argv[2])
    run(lambda: CoquiSynthesizer(description), step_cpu_s=STEP_CPU_S, memory_bytes=MEMORY_BYTES)


class CoquiSynthesizer:
    """Implements `tts.workers.stream_worker.Synthesizer` with one model."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        """Import coqui-tts and load the model; any error is the reason why it cannot speak."""
        logging.disable(logging.WARNING)  # the library logs every text
        import_torchaudio()
        use_library()
        self._torch = import_module("torch")
        self._description = description
        self._synthesizer = _load(description)
        self._model = self._synthesizer.tts_model
        self._pace = 0.0
        """Seconds of sound per second of time."""
        self._knows_symbols = False
        self._normal_length = getattr(self._model, "length_scale", None)
        self._recordings: list[str] = list(description["speaker_wav"])
        if self._recordings:
            self._prepare_clone()
        self._rehearse()

    def begin(self, request: Mapping[str, Any]) -> Iterator[Message | None]:
        """Yield the answer to a request."""
        if request.get("describe"):
            yield self._describe(), b""
            return
        unknown = self._unknown(request)
        if unknown is not None:
            yield {"unknown": unknown}, b""
            return
        yield self._speak(request)

    def _describe(self) -> dict[str, Any]:
        return {
            "speakers": self._speakers(),
            "languages": list(map(bcp47, self._languages())),
            "rate_hz": self._rate_hz,
            "pace": self._pace,
            "knows_symbols": self._knows_symbols,
        }

    @property
    def _rate_hz(self) -> int:
        return int(self._synthesizer.output_sample_rate)

    def _speakers(self) -> list[str]:
        manager = getattr(self._model, "speaker_manager", None)
        return [] if manager is None else [str(name) for name in manager.speaker_names]

    def _languages(self) -> list[str]:
        manager = getattr(self._model, "language_manager", None)
        return [] if manager is None else [str(name) for name in manager.language_names]

    def _unknown(self, request: Mapping[str, Any]) -> str | None:
        """Return the field whose value the model does not have."""
        speakers = self._speakers()
        if request["speaker"] is not None and request["speaker"] not in speakers:
            return "voice"
        languages = self._languages()
        has_several = len(languages) > 1
        return "language" if has_several and self._language(request["language"]) is None else None

    def _language(self, tag: str) -> str | None:
        """Return the model's name of a language: `fr-fr` for `fr`, `zh-cn` for `zh-CN`."""
        names = {bcp47(name): name for name in self._languages()}
        wanted = bcp47(tag)
        while wanted:
            if wanted in names:
                return names[wanted]
            longer = [name for name in names if name.startswith(f"{wanted}-")]
            if longer:
                return names[longer[0]]
            wanted = wanted.rpartition("-")[0]
        return None

    def _speak(self, request: Mapping[str, Any]) -> Message:
        self._torch.manual_seed(SEED)
        own_pace = self._set_pace(float(request["speed"]))
        samples, outputs = self._synthesize(request, own_pace)
        if own_pace is None:
            samples = _stretched(samples, float(request["speed"]))
        if not np.isfinite(samples).all():
            raise SentenceFailed("makes sound with values that are not numbers")
        sound_s = len(samples) / self._rate_hz
        if sound_s > MAX_SOUND_S:
            raise SentenceFailed(f"makes more than {MAX_SOUND_S:g} s of sound")
        header = {"rate_hz": self._rate_hz, "symbols": self._symbols(outputs), SOUND_S: sound_s}
        return header, samples.astype("<f4").tobytes()

    def _set_pace(self, speed: float) -> dict[str, float] | None:
        """Set the model's own speed; return arguments that do, or None if it has none."""
        if self._normal_length is not None:
            self._model.length_scale = self._normal_length / speed
            return {}
        if type(self._model).__name__ == "Xtts":
            return {"speed": speed}
        return None if speed != 1 else {}

    def _synthesize(
        self, request: Mapping[str, Any], pace: dict[str, float] | None
    ) -> tuple[NDArray[np.float32], Mapping[str, Any] | None]:
        """Return (n,) samples, and the outputs of the network if they are available."""
        speaker = request["speaker"] or self._description["speaker"]
        if speaker is None and not self._recordings:
            speaker = next(iter(self._speakers()), None)
        language = self._language(request["language"]) if len(self._languages()) > 1 else None
        recordings = self._recordings or None
        if self._synthesizer.vocoder_model is not None:
            sound = self._synthesizer.tts(
                request["text"],
                speaker_name=speaker,
                language_name=language,
                speaker_wav=recordings,
                split_sentences=False,
                **(pace or {}),
            )
            return np.asarray(sound, np.float32), None
        result = self._model.synthesize(
            request["text"],
            speaker=speaker,
            language=language,
            speaker_wav=recordings,
            use_griffin_lim=True,
            **(pace or {}),
        )
        return _array(result["wav"]), result

    def _symbols(self, result: Mapping[str, Any] | None) -> list[tuple[str, float]] | None:
        """Return the IPA symbols of a sentence with their durations in seconds, if known."""
        outputs = (result or {}).get("outputs")
        durations = outputs.get("durations") if isinstance(outputs, Mapping) else None
        config, tokenizer = self._model.config, getattr(self._model, "tokenizer", None)
        is_ipa = config.get("phonemizer") in _ALIGNED_PHONEMIZERS
        if durations is None or result is None or not config.get("use_phonemes") or not is_ipa:
            return None
        frames = durations.flatten().tolist()
        ids = result["text_inputs"].flatten().tolist()
        frame_s = float(self._model.config.audio["hop_length"]) / self._rate_hz
        characters = tokenizer.characters  # type: ignore[union-attr]
        marks = {characters.pad, characters.blank, characters.bos, characters.eos}
        names = [characters.id_to_char(int(number)) for number in ids]
        return [
            ("" if name in marks else name, frame_s * count)
            for name, count in zip(names, frames, strict=True)
        ]

    def _prepare_clone(self) -> None:
        """Have the recordings analysed once, not for every sentence; raises CannotClone."""
        model = self._model
        manager = getattr(model, "speaker_manager", None)
        has_encoder = getattr(manager, "encoder", None) is not None
        if not (model.config.supports_cloning or has_encoder):
            raise CannotClone(
                "the model cannot clone voices: it has no network that recognizes speakers; remove "
                "speaker_wav, or set encoder_path and encoder_config_path"
            )
        analyse, known = model.clone_voice, list[Any]()

        def clone_voice(*_: object, **settings: Any) -> Any:
            for name in ("speaker_wav", "speaker_id", "voice_dir"):
                settings.pop(name, None)
            if not known:
                known.append(analyse(self._recordings, **settings))
            return known[0]

        model.clone_voice = clone_voice

    def _rehearse(self) -> None:
        """Speak twice: recordings are read and code is compiled the first time.

        Some models know none of its letters. That is not a fault, unless a voice is cloned.
        """
        request = {"speaker": None, "language": "en", "speed": 1.0}
        try:
            for text in (REHEARSAL_START, REHEARSAL):
                started_s = time.monotonic()
                header, _ = self._speak({"text": text, **request})
                self._pace = header[SOUND_S] / (time.monotonic() - started_s)
                self._knows_symbols = header["symbols"] is not None
        except Exception as error:
            if self._recordings:
                raise CannotClone(f"the recording cannot be cloned: {error}") from error


def _load(description: Mapping[str, Any]) -> Any:
    """Load a model; returns coqui's `Synthesizer`."""
    paths = {
        "tts_checkpoint": description["model_path"],
        "tts_config_path": description["config_path"],
        "tts_speakers_file": description["speakers_path"],
        "vocoder_checkpoint": description["vocoder_path"],
        "vocoder_config": description["vocoder_config_path"],
        "encoder_checkpoint": description["encoder_path"],
        "encoder_config": description["encoder_config_path"],
    }
    if description["model"] is not None:
        paths |= _hub_paths(description)
    return import_module("TTS.utils.synthesizer").Synthesizer(
        **{name: path for name, path in paths.items() if path is not None},
        use_cuda=description["device"] == "cuda",
    )


def _hub_paths(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the files of a model of coqui's list, and of its vocoder; raises ModelMissing."""
    accepts_terms = bool(description["accepts_terms"])
    checkpoint, config, vocoder = local_model(description["model"], accepts_terms=accepts_terms)
    found: dict[str, Any] = {"tts_checkpoint": checkpoint, "tts_config_path": config}
    if vocoder is not None and description["vocoder_path"] is None:
        files = local_model(vocoder, accepts_terms=accepts_terms)
        found |= {"vocoder_checkpoint": files[0], "vocoder_config": files[1]}
    return found


def _array(sound: Any) -> NDArray[np.float32]:
    """Return a tensor, an array or a list as (n,) samples."""
    values = sound.detach().cpu().numpy() if hasattr(sound, "detach") else np.asarray(sound)
    return np.asarray(values, np.float32).reshape(-1)


def _stretched(samples: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """Change the pace of (n,) samples and keep their pitch, for models without a pace."""
    stretched = import_module("librosa").effects.time_stretch(samples, rate=speed)
    return np.asarray(stretched, np.float32)
