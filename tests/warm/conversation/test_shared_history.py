"""The history of a conversation moves with its session from one head to another."""

from dataclasses import replace
from pathlib import Path

from tests.polling import wait_until
from warm.conversation.recovery import LEFT
from warm.conversation.shared_history import KEPT_TURNS, SharedHistory, read_copy
from warm.conversation.turn import Turn
from warm.conversation.turn_table import TurnTable
from warm.jobs.database import Database


class HeadWithHistory:
    """The turn table of one head, whose sessions can move to another head."""

    def __init__(self, results: Path, name: str) -> None:
        own = results / name
        own.mkdir(parents=True)
        self.database = Database(own)
        self.table = TurnTable(self.database)
        self.owned: set[str] = set()
        self.shared = SharedHistory(results, self.table, self.owned.__contains__)

    def come(self, session_id: str) -> None:
        self.shared.adopt(session_id, lambda turn: replace(turn, state="error", error=LEFT))
        self.owned.add(session_id)

    def leave(self, session_id: str) -> None:
        self.shared.write(session_id)
        self.owned.discard(session_id)

    def say(self, number: int, session_id: str = "berlin", *, is_ended: bool = True) -> None:
        turn = turn_number(number, session_id)
        self.table.insert(turn)
        if is_ended:
            said = replace(turn, state="done", heard_text=f"Answer {number}.", is_settled=True)
            self.table.update(said)

    def texts(self, session_id: str = "berlin") -> list[tuple[str, str, str]]:
        turns = self.table.history(session_id)
        return [(turn.user_text, turn.heard_text, turn.state) for turn in turns]


def turn_number(number: int, session_id: str) -> Turn:
    return Turn(
        id=f"turn_{session_id}_{number}", session_id=session_id, user_text=f"Question {number}?",
        persona="host",
    )  # fmt: skip


def test_a_history_moves_to_the_next_head_and_back_in_order(tmp_path: Path) -> None:
    a, b = HeadWithHistory(tmp_path, "a"), HeadWithHistory(tmp_path, "b")
    a.come("berlin")
    a.say(1)
    a.say(2)
    a.table.choose_persona("berlin", "guide")
    a.leave("berlin")
    b.come("berlin")
    b.say(3)
    assert b.table.persona("berlin") == "guide"
    b.leave("berlin")
    a.come("berlin")
    a.say(4)
    expected = [(f"Question {n}?", f"Answer {n}.", "done") for n in (1, 2, 3, 4)]
    assert (a.texts(), b.texts()) == (expected, expected[:3])


def test_a_turn_that_a_killed_head_was_answering_ends_as_an_error(tmp_path: Path) -> None:
    a, b = HeadWithHistory(tmp_path, "a"), HeadWithHistory(tmp_path, "b")
    a.come("berlin")
    a.say(1)
    a.say(2, is_ended=False)
    copy = tmp_path / "conversations" / "berlin.json"
    wait_until(lambda: len(read_copy(copy)[0]) == 2, "the copy of two turns")  # without `leave`
    wait_until(lambda: read_copy(copy)[0][0].is_ended, "the end of the first")
    b.come("berlin")
    assert b.texts() == [
        ("Question 1?", "Answer 1.", "done"),
        ("Question 2?", "", "error"),
    ]


def test_a_history_that_was_forgotten_elsewhere_does_not_come_back(tmp_path: Path) -> None:
    a, b = HeadWithHistory(tmp_path, "a"), HeadWithHistory(tmp_path, "b")
    a.come("berlin")
    a.say(1)
    a.leave("berlin")
    b.come("berlin")
    b.table.forget("berlin", is_reset=True)
    b.leave("berlin")
    assert not (tmp_path / "conversations" / "berlin.json").exists()
    a.come("berlin")
    assert a.texts() == []


def test_a_head_does_not_write_the_history_of_a_session_that_has_left(tmp_path: Path) -> None:
    a = HeadWithHistory(tmp_path, "a")
    a.come("berlin")
    a.say(1)
    a.leave("berlin")
    before = (tmp_path / "conversations" / "berlin.json").read_bytes()
    a.say(2)
    a.shared.write("berlin")
    assert (tmp_path / "conversations" / "berlin.json").read_bytes() == before


def test_the_last_turns_move_if_there_are_many(tmp_path: Path) -> None:
    a, b = HeadWithHistory(tmp_path, "a"), HeadWithHistory(tmp_path, "b")
    a.come("berlin")
    turns = [turn_number(number, "berlin") for number in range(KEPT_TURNS + 5)]
    a.table.replace("berlin", [replace(each, state="done") for each in turns], None)
    a.leave("berlin")
    b.come("berlin")
    assert [text for text, _, _ in b.texts()] == [each.user_text for each in turns[5:]]


def test_a_damaged_copy_is_an_empty_history(tmp_path: Path) -> None:
    b = HeadWithHistory(tmp_path, "b")
    (tmp_path / "conversations").mkdir()
    for content in (b"", b"{", b'{"turns": [{}], "persona": null}', b"[]"):
        (tmp_path / "conversations" / "berlin.json").write_bytes(content)
        b.come("berlin")
        assert b.texts() == []
