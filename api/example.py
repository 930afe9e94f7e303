"""Examples of the content of models, which the OpenAPI document shows."""

from typing import Any

from pydantic import ConfigDict


def example(**members: Any) -> ConfigDict:
    """Return the configuration of a model with one example of its content."""
    return ConfigDict(json_schema_extra={"examples": [members]})
