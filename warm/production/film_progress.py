"""Progress of a film: its frames on disk, of those that are expected."""

from warm.jobs.progress import JobProgress
from warm.render.jobs import CHARS_PER_S, Event, FragmentCommitted, SpeakJob, SpeechReady

PREPARED, RENDERED = 0.4, 0.9
"""Parts of the work that are done when the face is prepared, and when all frames are rendered."""


class FilmProgress:
    """Reports the progress of one job. One thread."""

    def __init__(self, progress: JobProgress, *, has_source: bool) -> None:
        """`has_source`: a face may have to be prepared."""
        self._progress = progress
        self._begun = PREPARED if has_source else 0.0
        self._fps = 25
        self._frames = 0
        """Frames on disk."""
        self._spoken_s = 0.0
        """Length of the sentences that are known."""
        self._unspoken_s = 0.0
        """Estimate for the others."""
        self._chars_per_s = CHARS_PER_S

    def prepared(self, fraction: float, stage: str) -> None:
        """Report a part of the preparation."""
        self._progress.report(PREPARED * fraction, stage)

    def listen(self) -> None:
        """Report that a recording is measured."""
        self._report("listening to the recording")

    def start(self, job: SpeakJob) -> None:
        """Begin with the first frame of a clip."""
        self._chars_per_s = CHARS_PER_S * job.choice.speed
        self._frames, self._spoken_s = 0, job.ending.pad_s
        self._unspoken_s = len(job.text) / self._chars_per_s
        if job.given is not None:
            self._unspoken_s = job.given.announced_s or 0.0
        self._report("waiting to be rendered")

    def note(self, event: Event) -> None:
        """Report an event of the clip."""
        if isinstance(event, SpeechReady):
            self._spoken_s += event.duration_s or 0.0
            self._unspoken_s = max(0.0, self._unspoken_s - len(event.text) / self._chars_per_s)
        elif isinstance(event, FragmentCommitted):
            self._fps = event.fps
            self._frames += event.fragment.frames
            self._report(f"{self._frames} of about {self._expected} frames")

    def wait(self, reason: str) -> None:
        """Report that the film waits for the engine or a voice."""
        self._report(f"waiting: {reason}")

    def enhance(self, stage: str, share: float) -> None:
        """Report a step of the enhancement of the faces."""
        self._progress.report(RENDERED, f"enhancing the faces: {stage}, {share:.0%}")

    def deliver(self) -> None:
        """Report that all frames are rendered."""
        self._progress.report(RENDERED, "writing the file")

    @property
    def _expected(self) -> int:
        return max(self._frames, round((self._spoken_s + self._unspoken_s) * self._fps))

    def _report(self, stage: str) -> None:
        share = self._frames / max(1, self._expected)
        self._progress.report(self._begun + (RENDERED - self._begun) * share, stage)
