"""Histories of conversations in the shared results folder, for the head that a session moves to.

The database of a head belongs to it alone. So a copy of each session's last turns lies in
`results/conversations`, which the head that has the session writes after every change, and the next
one reads.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from session.disk import make_folder, replace_file, sync_folder
from session.serial_worker import SerialWorker
from warm.conversation.turn import Turn
from warm.conversation.turn_table import COLUMNS, TurnTable, row_of, turn_of
from warm.jobs.errors import JobStoreError

FOLDER = "conversations"
KEPT_TURNS = 200
"""Last turns of a session that move with it."""

log = logging.getLogger(__name__)


class SharedHistory:
    """Copies of the turns of the sessions that belong to this head. Any thread."""

    def __init__(self, results: Path, table: TurnTable, owns: Callable[[str], bool]) -> None:
        """`owns`: True for a session that belongs to this head."""
        self._results, self._folder = results, results / FOLDER
        self._table, self._owns = table, owns
        self._worker = SerialWorker("shared-history")
        self._changed: set[str] = set()
        self._lock = Lock()
        """Held while a copy is written."""
        table.on_change = self.note_change

    def note_change(self, session_id: str) -> None:
        """Have the copy of a session written soon."""
        if session_id not in self._changed:
            self._changed.add(session_id)
            self._worker.submit(lambda: self._write_if_changed(session_id))

    def write(self, session_id: str) -> None:
        """Write the copy of a session that is about to move."""
        with self._lock:
            self._changed.discard(session_id)
            self._write(session_id)

    def adopt(self, session_id: str, complete: Callable[[Turn], Turn]) -> None:
        """Replace the turns of a session, which has come to this head, by those of its copy.

        `complete` ends a turn that its head has left unfinished. Raises JobStoreError.
        """
        turns, persona = read_copy(self._path(session_id))
        ended = [turn if turn.is_ended else complete(turn) for turn in turns]
        if ended or persona or self._table.history(session_id, limit=1):
            self._table.replace(session_id, ended, persona)

    def _write_if_changed(self, session_id: str) -> None:
        with self._lock:
            if session_id in self._changed:
                self._changed.discard(session_id)
                self._write(session_id)

    def _write(self, session_id: str) -> None:
        if not self._owns(session_id):
            return
        path = self._path(session_id)
        try:
            turns = self._table.history(session_id, limit=KEPT_TURNS)
            persona = self._table.persona(session_id)
            if not turns and persona is None:
                if path.exists():
                    path.unlink()
                    sync_folder(path.parent)
                return
            make_folder(path.parent, under=self._results)
            replace_file(path, json.dumps(copy_of(turns, persona)).encode())
        except (OSError, JobStoreError):
            log.exception("a history was not copied", extra={"session_id": session_id})

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}.json"


def copy_of(turns: Sequence[Turn], persona: str | None) -> dict[str, Any]:
    """Return the JSON of a copy."""
    return {"persona": persona, "turns": [row_of(turn) for turn in turns]}


def read_copy(path: Path) -> tuple[list[Turn], str | None]:
    """Return the turns of a copy, and the persona of its session; none if it cannot be read."""
    try:
        content = json.loads(path.read_bytes())
        rows = [{name: row[name] for name in COLUMNS} for row in content["turns"]]
        return [turn_of(row) for row in rows], content["persona"]
    except FileNotFoundError:
        return [], None
    except (OSError, ValueError, TypeError, KeyError):
        log.exception("a history cannot be read: %s", path)
        return [], None
