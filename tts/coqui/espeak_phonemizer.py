"""espeak-ng as a phonemizer of coqui-tts: the library that Warmtalk loads anyway.

coqui-tts runs the program `espeak-ng`; without that program, its models could not speak.
Only the process of a model imports this.
"""

import re
from importlib import import_module
from typing import Any

from tts.espeak.library import EspeakLibrary

_SPOKEN_OTHERWISE = {"en": "en-us", "zh-cn": "cmn"}
"""Languages that coqui-tts itself replaces."""
_LANGUAGE_SWITCH = re.compile(r"\([^)]*\)")


def use_library() -> bool:
    """Have coqui-tts phonemize with the library if there is no program; True if it is used."""
    wrapper = import_module("TTS.tts.utils.text.phonemizers.espeak_wrapper")
    if wrapper.ESpeak.is_available():
        return False
    phonemizers = import_module("TTS.tts.utils.text.phonemizers")
    phonemizers.ESpeak = phonemizer_class(phonemizers.BasePhonemizer)  # type: ignore[attr-defined]
    return True


def phonemizer_class(base: Any) -> Any:
    """Return a phonemizer named `espeak` with the methods that coqui-tts calls."""
    library = EspeakLibrary()
    voices = {
        tag.lower(): language.identifier
        for language in reversed(library.languages())
        for _, tag in reversed(language.tags)
    }

    class LibraryPhonemizer(base):  # type: ignore[misc]
        def __init__(self, language: str, **options: Any) -> None:
            spoken = _SPOKEN_OTHERWISE.get(language.lower(), language.lower())
            super().__init__(spoken, **{"keep_puncs": True, **options})

        @staticmethod
        def name() -> str:
            return "espeak"

        @classmethod
        def is_available(cls) -> bool:
            return True

        def version(self) -> str:
            return "1.52"

        @staticmethod
        def supported_languages() -> dict[str, str]:
            return voices

        def _phonemize(self, text: str, separator: str = "") -> str:
            clauses = library.phonemize(text, voice=voices[self._language])
            ipa = " ".join(clause.ipa.strip() for clause in clauses)
            phonemes = _LANGUAGE_SWITCH.sub("", ipa).strip()
            return separator.join(phonemes) if separator else phonemes

    return LibraryPhonemizer
