"""Models of the JSON that the routes answer with; `/openapi.json` describes them."""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A JSON object that a route answers with."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
