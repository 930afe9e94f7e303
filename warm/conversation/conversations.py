"""All conversations of a server: they are answered turn by turn, and remembered."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from chat.errors import ChatDisabled
from chat.model import ChatModel, Reply, ReplyOptions
from chat.persona import Persona, system_text
from session.errors import FilmDamagedError
from session.factory import read_cues
from session.film import Cue
from tts.voice import VoiceChoice
from warm.conversation.chat_request import ChatRequest, checked_text
from warm.conversation.errors import UnknownPersona, UnknownTurn
from warm.conversation.given_reply import GivenReply
from warm.conversation.heard import is_heard, settled
from warm.conversation.history import messages_of, tokens_of_turn
from warm.conversation.owed_changes import OwedChanges
from warm.conversation.persona_voice import answering_voice
from warm.conversation.recovery import recovered
from warm.conversation.schedule import Schedule
from warm.conversation.session_locks import SessionLocks
from warm.conversation.shared_history import SharedHistory
from warm.conversation.turn import Turn, TurnKind
from warm.conversation.turn_run import TurnPlan, TurnRun
from warm.conversation.turn_table import MAX_HISTORY, TurnTable
from warm.jobs.database import Database
from warm.jobs.errors import JobStoreError
from warm.jobs.job import JobError
from warm.render.growing_text import GrowingText
from warm.render.jobs import InterruptResult, SpeakJob
from warm.runtime import Runtime
from warm.sessions.errors import UnusableSession
from warm.sessions.paths import film_path
from warm.sessions.session import Session

END_S = 10.0
"""Longest wait for the end of turns that were stopped."""
PRUNE_EVERY = 500
"""Rows after which the oldest are deleted."""
RETRY_PART = 4
"""Part of the history that is left when the whole was too long for the model."""
INTERRUPTIONS = 3
"""Answers of other clients that one request may interrupt before it waits."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """The settings of conversations."""

    personas: Mapping[str, Persona]
    """At least one; the first is the default."""
    max_text_chars: int
    max_queue: int
    max_running: int
    """Most turns that are answered at once."""
    history_tokens: int
    max_tokens: int
    temperature: float | None
    max_reply_chars: int = 10_000
    max_turns: int = 20_000
    """Turns that are kept, of all sessions."""


class Conversations:
    """The conversations of all sessions. Any thread; one more thread answers each turn."""

    def __init__(
        self,
        runtime: Runtime,
        model: ChatModel,
        database: Database,
        options: ChatOptions,
        *,
        describe: Callable[[Exception], JobError],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`describe` returns the kind and the text of an error."""
        self.model = model
        self.personas = options.personas
        self._runtime, self._options = runtime, options
        self._describe, self._now = describe, now
        self._table = TurnTable(database)
        self._shared = self._share()
        self._schedule = Schedule(max_running=options.max_running, max_waiting=options.max_queue)
        self._locks, self._owed = SessionLocks(), OwedChanges()
        self._is_recovered = False
        self._recovering = Lock()
        self._is_stopping = False

    def leave(self, session_id: str) -> None:
        """Leave the history of a session for the head that it moves to."""
        if self._shared is not None:
            self._shared.write(session_id)

    def start(self) -> None:
        """End the turns that an earlier process left; if the database fails, at the next use."""
        try:
            self._recover()
        except JobStoreError:
            log.warning("the conversations wait for their database", exc_info=True)

    def stop(self) -> None:
        """Have all turns end; what was said of them stays. Returns at once, for signal handlers."""
        self._is_stopping = True

    def close(self) -> None:
        """Stop, wait for the turns for a few seconds, and close the model."""
        self.stop()
        self._wait(self._schedule.runs())
        self.model.close()

    def chat(self, request: ChatRequest) -> TurnRun:
        """Have a text answered.

        Raises BadUserText, ChatDisabled, UnknownPersona, UnknownTurn, BadSpeechRequest,
        SessionAnswering, QueueFull, NotReady and JobStoreError.
        """
        text = checked_text(request.user_text, max_chars=self._options.max_text_chars)
        if (state := self.model.state()).kind == "none":
            raise ChatDisabled(state.detail)
        persona = self.persona_of(request.session.id, request.persona)
        source = partial(self._ask, request, persona)
        return self._submit(request, persona, text, "chat", source)

    def greet(self, request: ChatRequest) -> TurnRun:
        """Have the persona speak its greeting; raises the errors of `chat`."""
        persona = self.persona_of(request.session.id, request.persona)
        greeting = checked_text(persona.greeting, max_chars=self._options.max_text_chars)
        return self._submit(
            request, persona, "", "greeting", lambda _turn, _attempt: GivenReply(greeting)
        )

    def speak_reply(self, request: ChatRequest, open_reply: Callable[[], Reply]) -> TurnRun:
        """Have a reply spoken that the caller asks a model for; raises the errors of `chat`.

        `open_reply` is called by the thread of the turn.
        """
        persona = self.persona_of(request.session.id, request.persona)
        text = request.user_text[: self._options.max_text_chars]
        return self._submit(
            request, persona, text, "completion", lambda _turn, _attempt: open_reply()
        )

    def get(self, turn_id: str) -> Turn:
        """Return a turn; raises UnknownTurn and JobStoreError."""
        self._recover()
        run = self._schedule.find(turn_id)
        turn = self._table.get(turn_id) if run is None else run.turn
        if turn is None:
            raise UnknownTurn(turn_id)
        if run is None and self._owed.make(turn.session_id):
            return self.get(turn_id)
        return turn

    def is_answering(self, session_id: str) -> bool:
        """Return True if a turn of a session is being answered or waits."""
        return bool(self._schedule.runs(session_id))

    def run_of(self, turn_id: str) -> TurnRun | None:
        """Return a turn that is being answered or waits; None if it has ended."""
        return self._schedule.find(turn_id)

    def history(self, session_id: str, *, limit: int = MAX_HISTORY) -> list[Turn]:
        """Return the last turns of a session, the oldest first; raises JobStoreError."""
        self._recover()
        self._owed.make(session_id)
        live = {run.turn.id: run.turn for run in self._schedule.runs(session_id)}
        return [live.get(turn.id, turn) for turn in self._table.history(session_id, limit=limit)]

    def cancel(self, turn_id: str) -> Turn:
        """End a turn; an ended one stays as it is. Raises UnknownTurn and JobStoreError."""
        run = self._schedule.find(turn_id)
        if run is not None:
            with self._locks.held(run.turn.session_id):
                self._stop(run, "it was cancelled")
            run.wait(END_S)
        return self.get(turn_id)

    def interrupt(self, session: Session, position_s: float | None = None) -> InterruptResult:
        """Stop the speech of a session and end its turns.

        What a viewer has not heard at `position_s`, seconds of the film, leaves the history; None:
        the position of a viewer that watches live. Raises the errors of `Runtime.interrupt`.
        """
        self._runtime.stop_live(session)
        with self._locks.held(session.id):
            runs = self._schedule.runs(session.id)
            for run in runs:
                self._stop(run, f"session {session.id!r} was interrupted")
            result = self._runtime.interrupt(session, position_s)
        self._wait(runs)
        if position_s is None:
            position_s = result.played / result.fps
        self._owed.add(session.id, partial(self._settle, session.id, position_s))
        return result

    def _settle(self, session_id: str, position_s: float, *, is_end: bool = True) -> None:
        """Note that the viewer of a session is at a position of the film.

        With `is_end` the rest will not be heard. Raises JobStoreError.
        """
        turns = self._table.unsettled(session_id)
        changed = [
            settled(turn, position_s) for turn in turns if is_end or is_heard(turn, position_s)
        ]
        if changed:
            self._table.update(*changed)

    @contextmanager
    def ending(self, session_id: str, *, is_deleted: bool = False) -> Iterator[None]:
        """Forget a session if the block, which resets or deletes it, succeeds; a reset keeps the
        persona.

        No turn of it speaks meanwhile. Raises SessionBusy.
        """
        with self._locks.held(session_id):
            yield
            runs = self._schedule.runs(session_id)
            for run in runs:
                self._stop(run, f"session {session_id!r} was reset")
            self._owed.add(session_id, partial(self._forget, session_id, is_deleted=is_deleted))
        self._wait(runs)

    def forget(self, session_id: str) -> int:
        """Forget the turns of a session, which goes on; return their number.

        A turn that is being answered is spoken to its end. Raises JobStoreError.
        """
        return self._table.forget(session_id)

    def persona_of(self, session_id: str, named: str | None = None) -> Persona:
        """Return the persona of a session, or the named one; raises UnknownPersona."""
        if named is not None:
            return self._persona(named)
        chosen = self._table.persona(session_id)
        return self.personas.get(chosen or "") or next(iter(self.personas.values()))

    def choose_persona(self, session_id: str, persona_id: str | None) -> Persona:
        """Choose the persona of a session; None: the first one. Raises UnknownPersona."""
        if persona_id is not None:
            self._persona(persona_id)
        self._prune_after(self._table.choose_persona(session_id, persona_id))
        return self.persona_of(session_id)

    def _share(self) -> SharedHistory | None:
        """Share the histories with other heads; None if there are none."""
        registry = self._runtime.sessions.registry
        if not registry.ownership.is_shared:
            return None
        registry.ownership.on_claimed = self._adopt
        return SharedHistory(registry.results, self._table, registry.ownership.owns)

    def _adopt(self, session_id: str) -> None:
        """Continue the history of a session that has come from another head."""
        path = film_path(self._runtime.sessions.registry.results, session_id)

        def complete(turn: Turn) -> Turn:
            spec, cues = film_cues(path)
            return recovered(turn, cues, spec, self._now())

        try:
            if self._shared is not None:
                self._shared.adopt(session_id, complete)
        except JobStoreError:
            log.exception("a history is missing", extra={"session_id": session_id})

    def _persona(self, persona_id: str) -> Persona:
        if persona_id not in self.personas:
            raise UnknownPersona(persona_id, list(self.personas))
        return self.personas[persona_id]

    def _submit(
        self,
        request: ChatRequest,
        persona: Persona,
        text: str,
        kind: TurnKind,
        source: Callable[[Turn, int], Reply],
    ) -> TurnRun:
        """Store a turn and have it answered when its session is free."""
        self._recover()
        choice = answering_voice(self._runtime, request, persona)
        self._runtime.check_ready()
        self._owed.make(request.session.id)
        self._require_replaced(request)
        self._make_room(request)
        turn = Turn(
            id=f"turn_{secrets.token_hex(16)}",
            session_id=request.session.id,
            owner=request.owner,
            kind=kind,
            user_text=text,
            persona=persona.id,
            created_s=self._now(),
        )
        run = TurnRun(self._plan(request, persona, choice, turn, source))
        self._schedule.add(
            run,
            request.origin.client,
            partial(self._insert, run, request.replaces),
            may_wait=request.when_busy != "refuse",
        )
        return run

    def _plan(
        self,
        request: ChatRequest,
        persona: Persona,
        choice: VoiceChoice,
        turn: Turn,
        source: Callable[[Turn, int], Reply],
    ) -> TurnPlan:
        return TurnPlan(
            turn=turn,
            source=source,
            warm_up=partial(self._warm_up, request, choice),
            speak=partial(self._speak, request, choice),
            language=request.language or persona.language or None,
            max_chars=self._options.max_reply_chars,
            lock=self._locks.of(turn.session_id),
            store=self._table.update,
            store_end=self._store_end,
            describe=self._describe,
            film_id=partial(self._film_id, turn.session_id),
            ended_by=partial(self._ended_by, request),
            now=self._now,
        )

    def _insert(self, run: TurnRun, replaces: str | None) -> None:
        run.note_stored(self._table.insert(run.turn, replaces=replaces))
        self._prune_after(run.turn.number)

    def _store_end(self, turn: Turn) -> None:
        self._owed.add(turn.session_id, lambda: self._table.update(turn))

    def _prune_after(self, number: int) -> None:
        """Delete the oldest rows now and then."""
        if not number or number % PRUNE_EVERY:
            return
        try:
            self._table.prune(most=self._options.max_turns)
        except JobStoreError:
            log.warning("old turns are deleted later", exc_info=True)

    def _require_replaced(self, request: ChatRequest) -> None:
        """Raise UnknownTurn unless the turn to be replaced is one of the session."""
        if request.replaces is None:
            return
        turn = self._table.get(request.replaces)
        if turn is None or turn.session_id != request.session.id or turn.owner != request.owner:
            raise UnknownTurn(request.replaces)

    def _make_room(self, request: ChatRequest) -> None:
        """Interrupt the session if the request wants that; note how far its viewer has come."""
        session, position_s = request.session, request.position_s
        if request.when_busy == "interrupt":
            for _ in range(INTERRUPTIONS):
                if not self._schedule.runs(session.id) and not self._table.unsettled(session.id):
                    return
                self.interrupt(session, position_s)
        elif position_s is not None:
            self._settle(session.id, position_s, is_end=False)

    def _warm_up(self, request: ChatRequest, choice: VoiceChoice) -> None:
        self._runtime.warm_up(self._session(request), choice)

    def _speak(self, request: ChatRequest, choice: VoiceChoice, growing: GrowingText) -> SpeakJob:
        return self._runtime.speak_growing(
            self._session(request), growing, choice, lead_s=request.lead_s, origin=request.origin
        )

    def _session(self, request: ChatRequest) -> Session:
        """Return the session as it is now: it may have been created or deleted meanwhile."""
        session = request.session
        return self._runtime.sessions.registry.lookup(session.id, session.client)

    def _film_id(self, session_id: str) -> str | None:
        registry = self._runtime.sessions.registry
        with suppress(UnusableSession):
            film = registry.film(registry.lookup(session_id))
            return None if film is None else film.film_id
        return None

    def _ended_by(self, request: ChatRequest) -> str | None:
        """Return the reason for which a turn is to end; None if it is to go on."""
        if self._is_stopping or self._runtime.is_stopping:
            return "the server is stopping"
        if request.origin.is_wanted():
            return None
        return f"its client left, and nobody watches {request.session.id!r}"

    def _ask(self, request: ChatRequest, persona: Persona, turn: Turn, attempt: int) -> Reply:
        """Ask the model for the reply; after the first attempt, with less of the history."""
        self._owed.make(turn.session_id)
        turns = self._table.texts(turn.session_id, before=turn.number)
        options = self._options
        room = options.history_tokens
        if attempt:
            room = min(room, sum(map(tokens_of_turn, turns))) // RETRY_PART
        messages = messages_of(system_text(persona), turns, turn.user_text, max_tokens=room)
        return self.model.reply(
            messages,
            ReplyOptions(
                max_tokens=request.max_tokens or options.max_tokens,
                temperature=(
                    options.temperature if request.temperature is None else request.temperature
                ),
            ),
        )

    def _stop(self, run: TurnRun, reason: str) -> None:
        """Stop a turn; one that waits ends at once. The lock of its session is held."""
        run.stop(reason)
        if self._schedule.discard(run):
            run.drop()

    def _forget(self, session_id: str, *, is_deleted: bool) -> None:
        self._table.forget(session_id, is_reset=True)
        if is_deleted:
            self._table.choose_persona(session_id, None)

    def _wait(self, runs: Sequence[TurnRun]) -> None:
        """Wait until turns that were stopped have ended."""
        deadline_s = time.monotonic() + END_S
        for run in runs:
            if not run.wait(max(0.0, deadline_s - time.monotonic())):
                log.error("a turn has not ended", extra={"turn": run.turn.id})

    def _recover(self) -> None:
        """End the turns that an earlier process left, once; raises JobStoreError."""
        with self._recovering:
            if self._is_recovered:
                return
            results = self._runtime.sessions.registry.results
            for turn in self._table.in_progress():
                spec, cues = film_cues(film_path(results, turn.session_id))
                self._table.update(recovered(turn, cues, spec, self._now()))
            self._table.prune(most=self._options.max_turns)
            self._is_recovered = True


def film_cues(path: Path) -> tuple[int, list[Cue]]:
    """Return the frame rate and the cues of a film on disk; none if it cannot be read."""
    try:
        spec, cues = read_cues(path)
    except (OSError, FilmDamagedError):
        return 0, []
    return spec.fps, cues
