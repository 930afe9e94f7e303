"""Answers in the shapes of OpenAI's API."""

from typing import Any

from pydantic import ConfigDict

from api.answers import Answer


class CompletionAnswer(Answer):
    """The answer of the model's server, unchanged."""

    model_config = ConfigDict(extra="allow")

    choices: list[dict[str, Any]] | None = None


class OpenAIError(Answer):
    """The cause of an error."""

    model_config = ConfigDict(extra="allow")

    message: str
    type: str | None = None
    param: Any = None
    code: Any = None


class OpenAIErrorAnswer(Answer):
    """An error."""

    model_config = ConfigDict(extra="allow")

    error: OpenAIError


class ListedModel(Answer):
    """A language model."""

    id: str
    object: str
    created: int
    owned_by: str


class ModelsAnswer(Answer):
    """The language models that may be asked for."""

    object: str
    data: list[ListedModel]
