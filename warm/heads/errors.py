"""Errors of several heads, one class per cause."""

from pathlib import Path

from warm.heads.head import Head


class HeldElsewhere(RuntimeError):
    """Another head has the session."""

    retry_after_s = 1

    def __init__(self, session_id: str, holder: Head | None) -> None:
        self.session_id, self.holder = session_id, holder
        """`holder` is None if it has not left its name yet."""
        name = "another head" if holder is None else str(holder)
        super().__init__(
            f"session_id = {session_id!r} belongs to {name} at present; send the request again with"
            f" the header `X-Session-Id: {session_id}`, by which a proxy and this server pass it on"
        )


class HeadSilent(RuntimeError):
    """The head that has a session does not answer."""

    retry_after_s = 2

    def __init__(self, session_id: str, holder: Head | None) -> None:
        name = "another head" if holder is None else str(holder)
        super().__init__(
            f"session_id = {session_id!r} belongs to {name}, which does not answer; try again soon."
            " It moves to another head as soon as that process has ended: if it hangs, continue it"
            " or kill it"
        )


class HeadLost(RuntimeError):
    """The connection to another head ended before its answer."""

    retry_after_s = 1

    def __init__(self, head: Head) -> None:
        super().__init__(
            f"{head} ended, or stopped answering, while it worked on this request, and may have"
            " done a part of it; look at the session, and send the request again"
        )


class KeyHomeAbsent(RuntimeError):
    """The head that has received an idempotency key first does not run."""

    retry_after_s = 5

    def __init__(self, key: str, name: str) -> None:
        super().__init__(
            f"Idempotency-Key = {key[:64]!r}: was first used at head {name!r}, which does not run"
            " at present, and which has the job; try again when it is back, or use a new key to"
            " make a second job"
        )


class NoHeads(LookupError):
    """This server is the only one of its results folder."""

    def __init__(self) -> None:
        super().__init__(
            "head: is not set, so this server shares its results folder with no other; see"
            " docs/scaling.md"
        )


class NotAHead(RuntimeError):
    """A route for heads was called by something else."""

    def __init__(self, header: str) -> None:
        super().__init__(f"{header}: is missing or wrong; only other heads use this route")


class LocksNotShared(RuntimeError):
    """Two heads hold the same lock: the storage does not pass locks between machines."""

    retry_after_s = 30

    def __init__(self, what: str, other: Head) -> None:
        super().__init__(
            f"{what} is locked by this head and by {other} at once: the storage of results_dir does"
            " not pass locks between machines; mount it without `nolock` and `local_lock`, and"
            " see docs/scaling.md"
        )


class HeadTaken(RuntimeError):
    """A head of this name runs already."""

    def __init__(self, name: str, note: Head | None) -> None:
        where = "" if note is None else f" at {note.url}"
        super().__init__(
            f"head = {name!r}: a head of this name runs already{where}; give each its own name"
        )


class SecretIncomplete(RuntimeError):
    """The file of the secret was cut off by a crash."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is incomplete; stop all heads, remove the file, and start them")


class NotDistinct(RuntimeError):
    """The storage takes the ids of two sessions for one."""

    def __init__(self, session_id: str, other: str) -> None:
        super().__init__(
            f"session_id = {session_id!r}: the storage does not distinguish it from session"
            f" {other!r}; use another id"
        )
