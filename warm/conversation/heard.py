"""The part of a reply that was heard, by a position in the film."""

import re
from dataclasses import replace

from warm.conversation.turn import Turn
from warm.render.heard import heard_until

CLOSING = re.compile(r"(?:\]\([^()\s]{0,2000}\)|[^\w\s<`\[({#+-]|`(?!`))*")
"""What may follow a heard word without a space: punctuation, the end of emphasis or of a link."""


def heard_text(turn: Turn, position_s: float) -> str:
    """Return the beginning of the reply that a viewer at a position of the film has heard."""
    end = heard_until([each.record for each in turn.sentences], position_s)
    if not end:
        return ""
    match = CLOSING.match(turn.reply_text, end)
    return turn.reply_text[: match.end() if match else end]


def is_heard(turn: Turn, position_s: float) -> bool:
    """True if a viewer at this position has heard all that was said in a turn."""
    if not turn.sentences:
        return True
    said = [each.record for each in turn.sentences]
    words = said[-1].words  # punctuation may follow the last one
    return heard_until(said, position_s) >= (words[-1].end if words else said[-1].end)


def settled(turn: Turn, position_s: float) -> Turn:
    """Return an ended turn as it is once a viewer has stopped at a position."""
    if is_heard(turn, position_s):
        return replace(turn, is_settled=True)
    heard = min(heard_text(turn, position_s), turn.heard_text, key=len)
    return replace(turn, heard_text=heard, interrupted=True, is_settled=True)
