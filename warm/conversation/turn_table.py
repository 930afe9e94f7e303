"""The tables of the conversations, in the database of the jobs."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from warm.conversation.spoken import SpokenSentence
from warm.conversation.turn import ENDED, Turn
from warm.jobs.database import Component, Database
from warm.jobs.job import JobError

COLUMNS = (
    *("number", "id", "session_id", "owner", "kind", "user_text", "persona", "state"),
    *("reply_text", "heard_text", "interrupted", "is_settled", "model", "film_id", "first_frame"),
    *("frames", "fps", "sentences", "error_kind", "error_description", "remarks", "created_s"),
    *("started_s", "finished_s", "is_forgotten", "is_reset"),
)
CREATE_TURNS = """
CREATE TABLE turns (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_text TEXT NOT NULL,
    persona TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'llm', 'tts', 'render', 'done', 'error', 'cancelled')
    ),
    reply_text TEXT NOT NULL DEFAULT '',
    heard_text TEXT NOT NULL DEFAULT '',
    interrupted INTEGER NOT NULL DEFAULT 0,
    is_settled INTEGER NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '',
    film_id TEXT,
    first_frame INTEGER NOT NULL DEFAULT 0,
    frames INTEGER NOT NULL DEFAULT 0,
    fps INTEGER NOT NULL DEFAULT 0,
    sentences TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(sentences)),
    error_kind TEXT,
    error_description TEXT,
    remarks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(remarks)),
    created_s REAL NOT NULL,
    started_s REAL,
    finished_s REAL,
    is_forgotten INTEGER NOT NULL DEFAULT 0,
    is_reset INTEGER NOT NULL DEFAULT 0
)
"""
CREATE_PERSONAS = """
CREATE TABLE session_personas (session_id TEXT PRIMARY KEY, persona TEXT NOT NULL)
"""
TURNS = Component(
    name="conversations",
    migrations=(
        (
            CREATE_TURNS,
            "CREATE INDEX turns_by_session ON turns (session_id, number)",
            "CREATE INDEX turns_by_state ON turns (state)",
            CREATE_PERSONAS,
        ),
    ),
    check=f"SELECT {', '.join(COLUMNS)}, persona FROM turns"
    " LEFT JOIN session_personas USING (session_id, persona) LIMIT 1",
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM turns"
SELECT_TEXTS = SELECT.replace(" sentences,", " '[]' AS sentences,")
LAST = "session_id = ? AND NOT is_forgotten ORDER BY number DESC LIMIT ?"
MAX_HISTORY = 1000
"""Turns of a session that are returned."""
IN_PROGRESS = f"state NOT IN {ENDED}"
INSERT = """
INSERT INTO turns (id, session_id, owner, kind, user_text, persona, state, created_s)
VALUES (:id, :session_id, :owner, :kind, :user_text, :persona, :state, :created_s)
"""
INSERT_WHOLE = (
    f"INSERT INTO turns ({', '.join(COLUMNS[1:])})"
    f" VALUES ({', '.join(f':{name}' for name in COLUMNS[1:])})"
)
"""All columns but the number."""
UPDATE = """
UPDATE turns SET state = :state, reply_text = :reply_text, heard_text = :heard_text,
    interrupted = :interrupted, is_settled = :is_settled, model = :model, film_id = :film_id,
    first_frame = :first_frame, frames = :frames, fps = :fps, sentences = :sentences,
    error_kind = :error_kind, error_description = :error_description, remarks = :remarks,
    started_s = :started_s, finished_s = :finished_s
WHERE id = :id AND NOT is_forgotten
"""
UPDATE_FORGOTTEN = """
UPDATE turns SET state = :state, film_id = :film_id, first_frame = :first_frame, frames = :frames,
    fps = :fps, interrupted = :interrupted, started_s = :started_s, finished_s = :finished_s
WHERE id = :id AND is_forgotten
"""
FORGET = """
UPDATE turns SET user_text = '', reply_text = '', heard_text = '', sentences = '[]',
    remarks = '[]', is_settled = 1, is_forgotten = 1
WHERE session_id = ? AND NOT is_forgotten
"""


class TurnTable:
    """Rows of turns. Any thread; raises JobStoreError."""

    def __init__(self, database: Database) -> None:
        database.register(TURNS)
        self.on_change: Callable[[str], None] = lambda _session_id: None
        """Called after the turns of a session, or its persona, have changed."""
        self._database = database

    def insert(self, turn: Turn, *, replaces: str | None = None) -> Turn:
        """Insert a turn; `replaces`: forget this one, and the later ones of the session, first."""
        with self._database.write() as connection:
            if replaces is not None:
                connection.execute(
                    f"{FORGET} AND number >= (SELECT number FROM turns WHERE id = ?)",
                    (turn.session_id, replaces),
                )
            connection.execute(INSERT, row_of(turn))
            inserted = next(turns_where(connection, "id = ?", turn.id))
        self.on_change(turn.session_id)
        return inserted

    def update(self, *turns: Turn) -> None:
        """Store turns; the texts of those that are forgotten stay deleted."""
        rows = [row_of(turn) for turn in turns]
        with self._database.write() as connection:
            connection.executemany(UPDATE, rows)
            connection.executemany(UPDATE_FORGOTTEN, rows)
        for session_id in {turn.session_id for turn in turns}:
            self.on_change(session_id)

    def replace(self, session_id: str, turns: Sequence[Turn], persona: str | None) -> None:
        """Replace the turns of a session, and its persona; others of it are forgotten."""
        with self._database.write() as connection:
            connection.executemany("DELETE FROM turns WHERE id = ?", [(each.id,) for each in turns])
            connection.execute(FORGET, (session_id,))
            connection.executemany(INSERT_WHOLE, [row_of(turn) for turn in turns])
            choose(connection, session_id, persona)

    def get(self, turn_id: str) -> Turn | None:
        """Return a turn; None if there is none."""
        with self._database.read() as connection:
            return next(turns_where(connection, "id = ?", turn_id), None)

    def history(self, session_id: str, *, limit: int = MAX_HISTORY) -> list[Turn]:
        """Return the last turns of a session that are not forgotten, the oldest first."""
        with self._database.read() as connection:
            found = turns_where(connection, LAST, session_id, limit)
            return list(found)[::-1]

    def texts(self, session_id: str, *, before: int) -> list[Turn]:
        """Return the turns of `history` below a number, without their sentences."""
        with self._database.read() as connection:
            rows = connection.execute(f"{SELECT_TEXTS} WHERE {LAST}", (session_id, MAX_HISTORY))
            return [turn for turn in map(turn_of, rows) if turn.number < before][::-1]

    def in_progress(self) -> list[Turn]:
        """Return the turns that have not ended."""
        with self._database.read() as connection:
            return list(turns_where(connection, f"{IN_PROGRESS} ORDER BY number"))

    def forget(self, session_id: str, *, is_reset: bool = False) -> int:
        """Delete the texts of a session's turns; return the number of turns."""
        with self._database.write() as connection:
            count = connection.execute(FORGET, (session_id,)).rowcount
            if is_reset:
                reset = "UPDATE turns SET is_reset = 1 WHERE session_id = ? AND NOT is_reset"
                connection.execute(reset, (session_id,))
        self.on_change(session_id)
        return count

    def unsettled(self, session_id: str) -> list[Turn]:
        """Return the ended turns of a session of which less may be heard than is known so far."""
        with self._database.read() as connection:
            return list(
                turns_where(
                    connection,
                    f"session_id = ? AND NOT is_settled AND NOT ({IN_PROGRESS}) ORDER BY number",
                    session_id,
                )
            )

    def prune(self, *, most: int) -> None:
        """Delete the oldest ended turns, and the oldest choices of personas, beyond `most`."""
        with self._database.write() as connection:
            connection.execute(
                f"DELETE FROM turns WHERE NOT ({IN_PROGRESS}) AND number NOT IN"
                " (SELECT number FROM turns ORDER BY number DESC LIMIT ?)",
                (most,),
            )
            connection.execute(
                "DELETE FROM session_personas WHERE rowid NOT IN"
                " (SELECT rowid FROM session_personas ORDER BY rowid DESC LIMIT ?)",
                (most,),
            )

    def persona(self, session_id: str) -> str | None:
        """Return the persona that a session chose; None if it chose none."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT persona FROM session_personas WHERE session_id = ?", (session_id,)
            ).fetchone()
            return None if row is None else str(row["persona"])

    def choose_persona(self, session_id: str, persona: str | None) -> int:
        """Store the persona of a session; None: it follows the settings.

        Return a number that grows with each choice.
        """
        with self._database.write() as connection:
            number = choose(connection, session_id, persona)
        self.on_change(session_id)
        return number


def choose(connection: sqlite3.Connection, session_id: str, persona: str | None) -> int:
    """Store the persona of a session; return a number that grows with each choice."""
    connection.execute("DELETE FROM session_personas WHERE session_id = ?", (session_id,))
    if persona is None:
        return 0
    insert = "INSERT INTO session_personas VALUES (?, ?)"
    return connection.execute(insert, (session_id, persona)).lastrowid or 0


def turns_where(connection: sqlite3.Connection, where: str, *values: object) -> Iterator[Turn]:
    """Yield the turns of a condition."""
    return map(turn_of, connection.execute(f"{SELECT} WHERE {where}", values))


def row_of(turn: Turn) -> dict[str, Any]:
    """Return the columns of a turn."""
    sentences = [sentence.to_json() for sentence in turn.sentences]
    return {
        **{name: getattr(turn, name) for name in COLUMNS if hasattr(turn, name)},
        "user_text": storable(turn.user_text),
        "reply_text": storable(turn.reply_text),
        "heard_text": storable(turn.heard_text),
        "sentences": json.dumps(sentences, separators=(",", ":")),
        "remarks": json.dumps(turn.remarks),
        "error_kind": turn.error and turn.error.kind,
        "error_description": turn.error and storable(turn.error.description),
    }


def storable(text: str) -> str:
    """Return a text that SQLite can store: half surrogate pairs are replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def turn_of(row: sqlite3.Row | Mapping[str, Any]) -> Turn:
    """Return the turn of a row."""
    plain = {name: row[name] for name in COLUMNS if name not in NOT_PLAIN}
    for name in BOOLEANS:
        plain[name] = bool(plain[name])
    return Turn(
        **plain,
        sentences=tuple(map(SpokenSentence.of_json, json.loads(row["sentences"]))),
        remarks=tuple(json.loads(row["remarks"])),
        error=None
        if row["error_kind"] is None
        else JobError(row["error_kind"], row["error_description"]),
    )


NOT_PLAIN = frozenset({"sentences", "remarks", "error_kind", "error_description"})
BOOLEANS = ("interrupted", "is_settled", "is_forgotten", "is_reset")
