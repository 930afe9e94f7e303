"""The tables of conversations keep the last turns, whatever their sessions."""

from pathlib import Path

from warm.conversation.turn import Turn
from warm.conversation.turn_table import TurnTable
from warm.jobs.database import Database


def test_the_oldest_ended_turns_and_choices_are_deleted(tmp_path: Path) -> None:
    table = TurnTable(Database(tmp_path))
    for number in range(5):
        turn = table.insert(Turn(id=f"turn_{number}", session_id=f"s{number}", state="done"))
        table.choose_persona(turn.session_id, "ada")
    waiting = table.insert(Turn(id="turn_w", session_id="s0"))
    table.prune(most=2)
    kept = [number for number in range(5) if table.get(f"turn_{number}")]
    assert (kept, table.get("turn_w")) == ([4], waiting)
    assert [number for number in range(5) if table.persona(f"s{number}")] == [3, 4]


def test_half_surrogate_pairs_and_zeros_are_stored(tmp_path: Path) -> None:
    table = TurnTable(Database(tmp_path))
    turn = table.insert(Turn(id="turn_1", session_id="s", user_text="a\ud800\x00b"))
    assert turn.user_text == "a?\x00b"
    assert table.history("s") == [turn]
