"""Piper's voices that are present: in a folder, and in the package joe."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tts.family import best_voice
from tts.onnx_voices import joe_package
from tts.onnx_voices.measured import Measured
from tts.onnx_voices.model_card import ModelCard
from tts.onnx_voices.piper_files import PiperFile, PiperFolder, read_voice
from tts.onnx_voices.piper_infos import (
    PREFIX,
    find_speaker,
    info_of,
    infos_of,
    joe_info,
    speaker_info,
)
from tts.voice import PhonemeTimes, VoiceInfo


@dataclass(frozen=True, slots=True)
class PiperSpeaker:
    """A speaker of a voice."""

    file: PiperFile
    info: VoiceInfo
    number: int


class PiperCatalogue:
    """Finds voices. Thread-safe; files may come, change and go at any time."""

    def __init__(self, folder: Path, *, letters: PhonemeTimes = "heard") -> None:
        """`folder` need not exist; `letters`: see `info_of`."""
        self._letters: PhonemeTimes = letters
        self._folder = PiperFolder(folder)
        self._lock = threading.Lock()
        """Guards the members below, and `_folder`."""
        self._measured: dict[str, Measured] = {}
        """By the key of a voice's files."""
        self._joe: PiperFile | None = None

    def infos(self) -> list[VoiceInfo]:
        """Return all voices, also those whose files have a fault."""
        files = self._files()
        found = [info for file in files.values() for info in infos_of(file, self._letters)]
        return found if joe_package.NAME in files else [*found, joe_info()]

    def find(self, name: str) -> PiperSpeaker | None:
        """Return the speaker with this id, in any case; `joe` is an alias."""
        prefix, _, rest = name.partition(":")
        if name.lower() == joe_package.ALIAS:
            rest = joe_package.NAME
        elif prefix.lower() != PREFIX:
            return None
        files = self._files()
        voice, slash, speaker = rest.partition("/")
        lower = {each.lower(): file for each, file in files.items()}
        file = files.get(voice) or lower.get(voice.lower())
        return None if file is None else self._speaker(file, speaker if slash else None)

    def find_info(self, name: str) -> VoiceInfo | None:
        """Return the voice with this id, also that of the package joe if it is missing."""
        found = self.find(name)
        if found is not None:
            return found.info
        joe = joe_info()
        return joe if name.lower() in (joe_package.ALIAS, joe.id.lower()) else None

    def best_for(self, language: str) -> VoiceInfo | None:
        """Return the best voice of the folder; the package joe is never chosen automatically."""
        files = self._files().values()
        packaged = self._joe
        infos = (
            info_of(file, self._letters)
            for file in files
            if packaged is None or file.key != packaged.key
        )
        return best_voice(infos, language)

    def measured(self, file: PiperFile) -> Measured | None:
        """Return what was found when the voice was loaded in its present state."""
        with self._lock:
            return self._measured.get(file.key)

    def record(self, file: PiperFile, measured: Measured) -> None:
        """Keep what was found when the voice was loaded."""
        with self._lock:
            self._measured[file.key] = measured

    def _files(self) -> Mapping[str, PiperFile]:
        with self._lock:
            files = dict(self._folder.voices())
            joe = self._packaged_joe()
            if joe is not None:
                files.setdefault(joe.name, joe)
            return {name: self._with_findings(file) for name, file in files.items()}

    def _with_findings(self, file: PiperFile) -> PiperFile:
        found = self._measured.get(file.key)
        if found is None:
            return file
        return replace(file, problem=file.problem or found.problem, is_live=found.is_live)

    def _packaged_joe(self) -> PiperFile | None:
        if self._joe is None and (model := joe_package.joe_model()) is not None:
            card = ModelCard(joe_package.LICENCE, "male")
            self._joe = replace(read_voice(model, model.parent), card=card)
        return self._joe

    def _speaker(self, file: PiperFile, name: str | None) -> PiperSpeaker | None:
        info = info_of(file, self._letters)
        if name is None or file.config is None:
            numbers = {} if file.config is None else file.config.speakers
            return (
                PiperSpeaker(file, info, next(iter(numbers.values()), 0)) if name is None else None
            )
        speaker = find_speaker(file.config, name)
        if speaker is None:
            return None
        return PiperSpeaker(file, speaker_info(info, speaker), file.config.speakers[speaker])
