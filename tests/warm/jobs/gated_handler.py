"""A handler whose jobs end when the test lets them."""

from threading import Event
from typing import Any

from warm.jobs.job import Job
from warm.jobs.progress import JobProgress


class GatedHandler:
    """Writes a result once the gate is open. Members of the request change what it does:

    `content` is the result, `error` is raised, `deaf` never looks at the interruptions.
    """

    kind = "film"

    def __init__(self) -> None:
        self.gate = Event()
        self.gate.set()
        self.starts: list[Job] = []
        self.errors: dict[str, BaseException] = {}
        self.busy = 0
        """Number of jobs that are running."""

    def run(self, job: Job, progress: JobProgress) -> dict[str, Any]:
        self.starts.append(job)
        self.busy += 1
        try:
            return self._run(job, progress)
        finally:
            self.busy -= 1

    def _run(self, job: Job, progress: JobProgress) -> dict[str, Any]:
        progress.report(0.5, "drawing")
        (progress.folder / "scratch").write_bytes(b"half")
        while not self.gate.wait(0.005):
            if not job.request.get("deaf"):
                progress.check()
        if "error" in job.request:
            raise self.errors[job.request["error"]]
        (progress.folder / "scratch").unlink(missing_ok=True)
        content = job.request.get("content", "film")
        (progress.folder / "result.mp4").write_text(content)
        return {"frames": len(content)}
