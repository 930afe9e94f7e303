"""Reading numbers of a query."""

from flask import request

from api.problem import BadQuery

MOST_NUMBER = 10**15


def read_number(name: str, *, least: int) -> int | None:
    """A whole number of the query, None where it is left out; raises BadQuery."""
    given = request.args.get(name)
    if given is None:
        return None
    if not given.isdecimal() or not least <= int(given) <= MOST_NUMBER:
        raise BadQuery(name, given, f"must be a whole number from {least} to {MOST_NUMBER}")
    return int(given)
