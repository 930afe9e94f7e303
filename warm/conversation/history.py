"""The messages that a model reads: the persona, the last turns, and the new text."""

from collections.abc import Sequence

from chat.model import ChatMessage
from warm.conversation.turn import Turn

BYTES_PER_TOKEN = 4
"""Of text in Latin letters; a character of any other script counts as one token."""
TOKENS_PER_MESSAGE = 5
"""Marks of the role and the end of a message."""
QUOTED_CHARS = 60
UNHEARD = "(You were interrupted before you said anything.)"
INTERRUPTED = "(You were interrupted after “{words}”; the rest was not heard.)"
BROKEN_OFF = "(Your answer broke off after “{words}”.)"


def messages_of(
    system: str, turns: Sequence[Turn], user_text: str, *, max_tokens: int
) -> list[ChatMessage]:
    """Return the messages for the next reply; the turns take at most `max_tokens`.

    Old turns are left out in blocks: half of the room is made free at once, so that the beginning
    of the messages, which a model keeps in its cache, stays the same for several turns.
    """
    kept = [turn for turn in turns if is_remembered(turn)]
    kept = kept[first_kept(kept, max_tokens) :]
    messages = [ChatMessage("system", system)] if system.strip() else []
    said: list[str] = []
    for turn in kept:
        said += [turn.user_text] if turn.user_text else []
        if turn.heard_text.strip():
            if not said:  # a greeting: some models expect that the user speaks first
                said = [GREETED]
            messages.append(ChatMessage("user", "\n\n".join(said)))
            messages.append(ChatMessage("assistant", turn.heard_text))
            said = []
        said += [note] if (note := note_of(turn)) else []
    return [*messages, ChatMessage("user", "\n\n".join([*said, user_text]))]


GREETED = "(Greet me.)"


def is_remembered(turn: Turn) -> bool:
    """True if a turn is part of the conversation: a failure that said nothing is not."""
    if turn.is_forgotten or not turn.is_ended:
        return False
    return turn.state != "error" or bool(turn.heard_text.strip())


def note_of(turn: Turn) -> str:
    """Return the note on the end of a turn for the next message; empty if all of it was heard."""
    heard = turn.heard_text.strip()
    if turn.state == "error":
        return BROKEN_OFF.format(words=last_words(heard))
    if not turn.interrupted:
        return ""
    return INTERRUPTED.format(words=last_words(heard)) if heard else UNHEARD


def last_words(text: str) -> str:
    """Return the last words of a text."""
    shown = " ".join(text.split())
    if len(shown) <= QUOTED_CHARS:
        return shown
    return f"… {shown[-QUOTED_CHARS:].partition(' ')[2]}"


def first_kept(turns: Sequence[Turn], max_tokens: int) -> int:
    """Return the index of the first turn that is kept.

    It depends on the turns before it only, so that it stays the same while turns are added.
    """
    first, used = 0, 0
    costs = [tokens_of_turn(turn) for turn in turns]
    for index, cost in enumerate(costs):
        used += cost
        if used > max_tokens:
            while first <= index and used > max_tokens / 2:
                used -= costs[first]
                first += 1
    return first


def tokens_of_turn(turn: Turn) -> int:
    """Estimate the tokens of a turn."""
    return sum(map(tokens_of, (turn.user_text, turn.heard_text, note_of(turn))))


def tokens_of(text: str) -> int:
    """Estimate the tokens of a message."""
    if not text:
        return 0
    latin = sum(character < "\u0250" for character in text)
    return TOKENS_PER_MESSAGE + -(-latin // BYTES_PER_TOKEN) + len(text) - latin
