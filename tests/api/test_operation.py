"""The description of a route, attached to its view."""

from api.answers import Answer
from api.operation import operation, operation_of


class Greeting(Answer):
    words: str


@operation(answers={200: Greeting, 206: "video/mp4"}, tag="greetings", scope="watch")
def described() -> str:
    return "hello"


def undescribed() -> str:
    return "hello"


def test_a_view_carries_its_description_and_works_as_before() -> None:
    found = operation_of(described)
    assert found is not None
    assert found.answers == {200: Greeting, 206: "video/mp4"}
    assert (found.tag, found.scope, found.body, found.form, found.query) == (
        *("greetings", "watch"),
        *(None, None, None),
    )
    assert described() == "hello"


def test_a_view_without_a_description_has_none() -> None:
    assert operation_of(undescribed) is None
