"""`/credits`: nothing is charged here, so the numbers are constant."""

from typing import Any

from api.answers.did import CreditsAnswer
from api.caller import caller
from api.did.errors import did_blueprint
from api.did.film_json import LOCAL_USER
from api.operation import operation

CREDITS = 1_000_000
"""Large enough for every check of a client."""

credit = did_blueprint("credits")


@credit.get("/credits", strict_slashes=False)
@operation(answers={200: CreditsAnswer}, tag="did", scope="watch")
def show() -> dict[str, Any]:
    """Credits, which are never used up."""
    entry = {"owner_id": caller().name or LOCAL_USER, "remaining": CREDITS, "total": CREDITS}
    return {"credits": [entry], "remaining": CREDITS, "total": CREDITS}
