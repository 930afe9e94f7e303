"""Users of an avatar: the settings, sessions, and jobs that have not ended."""

from collections.abc import Callable, Iterator

from warm.jobs.job import Job
from warm.jobs.jobs import Jobs
from warm.preparer.face_id import face_id
from warm.sessions.registry import SessionRegistry
from warm.uploads.errors import UnknownUpload
from warm.uploads.store import UploadStore


class AvatarUsage:
    """Finds the users of an avatar. Any thread."""

    def __init__(
        self, active_id: str, registry: SessionRegistry, jobs: Jobs, uploads: UploadStore
    ) -> None:
        """`active_id`: the avatar of the settings."""
        self.elsewhere: Callable[[str], list[str]] = lambda _avatar_id: []
        """Returns the jobs of other servers of the folder that use an avatar, in words."""
        self._active_id = active_id
        self._registry, self._jobs, self._uploads = registry, jobs, uploads

    def users(self, avatar_id: str) -> list[str]:
        """Return the users of an avatar, in words; raises JobStoreError."""
        return [
            *(["the settings (avatar_id)"] if avatar_id == self._active_id else []),
            *(f"session {each!r}" for each in self._sessions(avatar_id)),
            *self.own_jobs(avatar_id),
            *self.elsewhere(avatar_id),
        ]

    def own_jobs(self, avatar_id: str) -> list[str]:
        """Return the jobs of this server that use an avatar, in words; raises JobStoreError."""
        return [f"job {job.id!r}" for job in self._jobs_of(avatar_id)]

    def _sessions(self, avatar_id: str) -> list[str]:
        """Return the ids of the sessions that have chosen this avatar, or are speaking with it."""
        speaking = {
            session.id
            for session in self._registry.all()
            if session.avatar and session.avatar.id == avatar_id
        }
        return [
            session_id
            for session_id, choices in self._registry.choices_of_all()
            if choices.avatar_id == avatar_id or session_id in speaking
        ]

    def _jobs_of(self, avatar_id: str) -> Iterator[Job]:
        for job in self._jobs.unfinished():
            if avatar_id in (job.request.get("avatar_id"), self._face(job)):
                yield job

    def _face(self, job: Job) -> str | None:
        """Return the id of the avatar that a job makes from an upload."""
        source = job.request.get("source")
        if source is None or job.kind != "film":
            return None
        try:
            return face_id(self._uploads.get(source).sha256)
        except UnknownUpload:
            return None
