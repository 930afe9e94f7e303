"""Coqui models as the settings describe them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
HUB_NAME = re.compile(r"tts_models(/[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}){3}")

Device = Literal["cpu", "cuda"]


class BadCoquiModel(ValueError):
    """A description of a model cannot be used; the message names field, value and allowed range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoquiModel:
    """A model, and the speaker that the voices of its name have."""

    name: str
    """The part of the voice's id after `coqui:`."""
    model: str | None = None
    """Name in coqui's list of models, such as `tts_models/en/vctk/vits`; downloaded beforehand."""
    model_path: Path | None = None
    """Checkpoint, or the folder of a model such as XTTS, instead of `model`."""
    config_path: Path | None = None
    """Configuration of `model_path`; None: `config.json` next to it, or in it."""
    vocoder_path: Path | None = None
    vocoder_config_path: Path | None = None
    speakers_path: Path | None = None
    """File of the model's speakers, if its configuration does not name it."""
    encoder_path: Path | None = None
    encoder_config_path: Path | None = None
    """Network that recognizes speakers, for clones, if the model has none of its own."""
    speaker: str | None = None
    """Speaker of the model; None: its first one, and `coqui:NAME/SPEAKER` names others."""
    speaker_wav: tuple[Path, ...] = ()
    """Recordings of a person whose voice is cloned."""
    consent: bool = False
    """The person in `speaker_wav` agrees to that."""
    accepts_terms: bool = False
    """The terms of a model that has some, such as XTTS, are accepted."""
    language: str | None = None
    """BCP 47 tag; None: that of the model."""
    gender: Literal["female", "male", "neutral", "unknown"] = "unknown"
    licence: str | None = None
    """Licence of the model, for the list of voices; None: what is known of it."""
    device: Device = "cpu"

    @property
    def config_file(self) -> Path | None:
        """The configuration of a model with a path."""
        if self.config_path is not None or self.model_path is None:
            return self.config_path
        folder = self.model_path if self.model_path.is_dir() else self.model_path.parent
        return folder / "config.json"

    @property
    def has_fixed_speaker(self) -> bool:
        """True if no other speaker of the model may be named."""
        return self.speaker is not None or bool(self.speaker_wav)

    def missing_file(self) -> Path | None:
        """Return a file that is named and does not exist; None if there is none."""
        named = [getattr(self, field.name) for field in fields(self) if field.name in _PATHS]
        paths = [path for path in (*named, self.config_file, *self.speaker_wav) if path]
        return next((path for path in paths if not path.exists()), None)

    def to_json(self) -> dict[str, Any]:
        """Return the description as JSON values, for the process of the model."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["config_path"] = self.config_file
        return {name: _json_value(value) for name, value in values.items()}


_PATHS = frozenset(
    [
        *("model_path", "config_path", "vocoder_path", "vocoder_config_path"),
        *("speakers_path", "encoder_path", "encoder_config_path"),
    ]
)
_TEXTS = frozenset(["model", "speaker", "language", "licence"])
_FLAGS = frozenset(["consent", "accepts_terms"])
_CHOICES = {"gender": ("female", "male", "neutral", "unknown"), "device": ("cpu", "cuda")}
_WAVS = "speaker_wav"
_ALL = (*sorted(_PATHS), *sorted(_TEXTS), *sorted(_FLAGS), *_CHOICES, _WAVS)
_TAG = re.compile(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8})*", re.ASCII)


def read_models(content: object) -> tuple[CoquiModel, ...]:
    """Read `{name: description}`; raises BadCoquiModel.

    A description is the name of a model in coqui's list, or a mapping of the fields of CoquiModel.
    """
    if not isinstance(content, Mapping):
        raise BadCoquiModel(
            f"must be a mapping of names to models, received a {type(content).__name__}; allowed: "
            "{anna: {model_path: …}}"
        )
    return tuple(read_model(name, description) for name, description in content.items())


def read_model(name: object, description: object) -> CoquiModel:
    """Read one description; raises BadCoquiModel."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadCoquiModel(
            f"{name!r} is not a name; allowed: 1 to 64 letters, digits, `_`, `.`, `-`"
        )
    fields_of_it = {"model": description} if isinstance(description, str) else description
    if not isinstance(fields_of_it, Mapping):
        raise BadCoquiModel(f"{name} must be a mapping or the name of a model; allowed: {_ALL}")
    values = {key: _value(f"{name}.{key}", key, value) for key, value in fields_of_it.items()}
    return _checked(CoquiModel(name=name, **values))


def _value(place: str, key: object, value: object) -> Any:
    if value is None and key in (*_PATHS, *_TEXTS):
        return None
    if key in _PATHS and isinstance(value, str) and value:
        return Path(value)
    if key in _TEXTS and isinstance(value, str) and value.isprintable() and value.strip():
        return value.strip()
    if key in _FLAGS and isinstance(value, bool):
        return value
    if key in _CHOICES and value in _CHOICES[str(key)]:
        return value
    if key == _WAVS:
        return _recordings(place, value)
    raise BadCoquiModel(f"{place} = {value!r}: {_allowed(key)}")


def _recordings(place: str, value: object) -> tuple[Path, ...]:
    paths = [value] if isinstance(value, str) else value
    if isinstance(paths, list | tuple) and paths and all(isinstance(each, str) for each in paths):
        return tuple(map(Path, paths))
    raise BadCoquiModel(
        f"{place} = {value!r}: must be the path of a recording, or a list; allowed: paths"
    )


def _allowed(key: object) -> str:
    if key in _PATHS:
        return "must be a path; allowed: paths of files"
    if key in _TEXTS:
        return "must be a text; allowed: printable characters"
    if key in _FLAGS:
        return "must be true or false; allowed: true, false"
    if key in _CHOICES:
        return f"allowed: {', '.join(_CHOICES[str(key)])}"
    return f"is not a field of a model; allowed: {', '.join(_ALL)}"


def _checked(model: CoquiModel) -> CoquiModel:
    """Return a model whose fields fit together; raises BadCoquiModel."""
    name = model.name
    if (model.model is None) == (model.model_path is None):
        raise BadCoquiModel(f"{name} needs `model` or `model_path`; allowed: one of the two")
    if model.model is not None and not HUB_NAME.fullmatch(model.model):
        raise BadCoquiModel(
            f"{name}.model = {model.model!r}: is not a name of coqui's list; allowed: "
            "tts_models/LANGUAGE/DATASET/MODEL"
        )
    if model.language is not None and not _TAG.fullmatch(model.language):
        raise BadCoquiModel(
            f"{name}.language = {model.language!r}: allowed: BCP 47 tags such as en, de-AT"
        )
    if model.speaker_wav and model.speaker is not None:
        raise BadCoquiModel(f"{name} has a speaker and a speaker_wav; allowed: one of the two")
    if model.speaker_wav and not model.consent:
        raise BadCoquiModel(
            f"{name}.speaker_wav clones the voice of a person. If that person has agreed to it, "
            "state `consent: true` there; otherwise use one of the model's own speakers; allowed: "
            "clones with consent"
        )
    return model


def _json_value(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    return [_json_value(each) for each in value] if isinstance(value, tuple) else value
