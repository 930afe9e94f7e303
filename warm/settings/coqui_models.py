"""Setting of the Coqui models: a mapping, also as JSON on the command line."""

import json
from typing import Any

from tts.coqui.models import BadCoquiModel, read_models


def read_json(value: object) -> object:
    """Read the JSON of a command line; other values and other texts are returned unchanged."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def check_models(value: dict[Any, Any] | None) -> None:
    """Raise ValueError unless the value describes models."""
    try:
        read_models(value or {})
    except BadCoquiModel as error:
        raise ValueError(str(error)) from None
