"""Handler of the jobs that make films."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from session.mp4.delivery import FilmForm, MadeFile, deliver, read_made_file
from session.webvtt import transcript_of
from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice, VoiceUnavailable
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarMissing, AvatarStore
from warm.engines.base import EngineLost, EngineOutOfMemory
from warm.jobs.errors import JobStopped
from warm.jobs.job import Job
from warm.jobs.progress import JobProgress
from warm.matting.background import colour_of
from warm.matting.program import Cut, write_cut
from warm.media.cut_out import read_cut_out
from warm.preparer.options import PrepareOptions
from warm.preparer.preparer import Preparer
from warm.production.backdrop import MAX_SIDE, has_transparency, write_backed
from warm.production.errors import FilmIncomplete
from warm.production.film_checks import FilmChecks
from warm.production.film_enhancer import FilmEnhancer
from warm.production.film_options import TRANSPARENT
from warm.production.film_progress import FilmProgress
from warm.production.film_request import FilmRequest
from warm.production.framing import form_of
from warm.render.given_sound import GivenSound
from warm.render.health import NotReady
from warm.render.jobs import ClipEnding, SpeakJob, SpeakResult
from warm.render.planned_action import PlannedAction
from warm.runtime import Runtime
from warm.uploads.store import UploadStore
from warm.uploads.upload import Upload

FILM, CAPTIONS, LOGO = "film.mp4", "captions.vtt", "logo.png"
BACKED, CUT_OUT = "backed.mkv", "cut_out.webm"
"""Files of a job, next to its result."""
TRIES = 3
"""Attempts of a film whose engine or voice fails; each begins at its first frame."""
MAX_PAUSE_S = 30.0
"""Longest time between two of them."""
RELEASE_S = 5.0
"""Longest wait until the render thread has released the film of a job that ends early."""
POLL_S = 0.1
CHUNK_BYTES = 1 << 20
ENDED = "the job that makes this film was ended"
TRANSIENT = (EngineLost, EngineOutOfMemory, NotReady, VoiceUnavailable)
"""Errors after which another attempt may succeed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmHandler:
    """Makes films: prepares the face, renders the clip after those of sessions, writes the file."""

    runtime: Runtime
    uploads: UploadStore
    preparer: Preparer
    avatars: AvatarStore
    enhancer: FilmEnhancer
    wait_for_avatar: Callable[[str, Callable[[], None]], None] = lambda _avatar_id, _check: None
    """Returns once no running preparation replaces the avatar; calls its argument meanwhile, which
    raises an error to end the wait."""

    @property
    def kind(self) -> str:
        """Kind of the jobs."""
        return "film"

    @property
    def checks(self) -> FilmChecks:
        """Checks of requests."""
        return FilmChecks(self.runtime, self.uploads, self.enhancer)

    def run(self, job: Job, progress: JobProgress) -> dict[str, Any]:
        """Make the film of a job; return the facts of its file."""
        request = FilmRequest.model_validate(job.request)
        with self._holding(request):
            reported = FilmProgress(progress, has_source=request.source is not None)
            film = FilmAttempt(self, job.id, request, progress, reported)
            return film.make()

    @contextmanager
    def _holding(self, request: FilmRequest) -> Iterator[None]:
        """Keep the uploads of a request; raises UnknownUpload."""
        logo = request.options.logo
        ids = (request.source, request.recording, None if logo is None else logo.upload)
        with ExitStack() as stack:
            for upload_id in ids:
                if upload_id is not None:
                    stack.enter_context(self.uploads.hold(upload_id))
            yield


@dataclass(frozen=True, slots=True)
class FilmAttempt:
    """One attempt at a film. One thread."""

    tools: FilmHandler
    job_id: str
    request: FilmRequest
    progress: JobProgress
    reported: FilmProgress

    def make(self) -> dict[str, Any]:
        """Make the film; return the facts of its file."""
        runtime, request = self.tools.runtime, self.request
        self.tools.checks.check_options(request)
        avatar_id = request.avatar_id or self._prepare()
        self.tools.wait_for_avatar(avatar_id, self.progress.check)
        runtime.avatar_cache.reload_facts(avatar_id)
        avatar = runtime.avatar_cache.fetch(avatar_id)
        mouth_open = self._shows_open_mouth(avatar_id)
        said = self._render(avatar_id)
        made = self._deliver(avatar, self._cut(avatar, self._enhanced(said.path)))
        return facts_of(avatar_id, said, made) | {"faces": 1, "mouth_open": mouth_open}

    def _prepare(self) -> str:
        """Return the id of the avatar of the source, which is prepared once."""
        source, progress = self._backed_source(), self.progress
        return self.tools.preparer.ensure(
            source, self.reported.prepared, lambda: progress.is_cancelled
        )

    def _backed_source(self) -> Upload:
        """Return the source; with a colour behind transparent parts, another upload with that."""
        tools, colour = self.tools, self.request.options.background
        assert self.request.source is not None
        source = tools.checks.source(self.request.source)
        if colour in (None, TRANSPARENT) or not has_transparency(source):
            return source
        recipe = tools.preparer.settings_of(PrepareOptions())
        path = write_backed(
            source,
            self.progress.folder,
            colour_of(colour),
            fps=recipe.fps,
            max_side=recipe.max_side,
            check=self.progress.check,
        )
        try:
            with path.open("rb") as file:
                chunks = iter(partial(file.read, CHUNK_BYTES), b"")
                return tools.uploads.receive(
                    chunks, allowed=frozenset({source.kind}), owner=source.owner, name=source.name
                )
        finally:
            path.unlink()

    def _spoken(self) -> tuple[PlainText | GivenSound, VoiceChoice]:
        """Return the text or the recording, and the voice."""
        checks, request = self.tools.checks, self.request
        if request.text is not None:
            return checks.plain(request.text), checks.choice(request.text)
        assert request.recording is not None
        recording = GivenSound.from_file(checks.recording(request.recording).path)
        self.progress.on_cancel(recording.cancel)
        self.reported.listen()
        recording.begin()
        return recording, self.tools.runtime.choose()

    def _render(self, avatar_id: str) -> SpeakResult:
        """Render the film; an engine or a voice that fails is tried again."""
        runtime, options = self.tools.runtime, self.request.options
        ending = ClipEnding(pad_s=options.pad_audio_s, is_fluent=options.fluent)
        actions = () if options.action is None else (PlannedAction(name=options.action),)
        path = self.progress.folder / FILM
        for left in reversed(range(TRIES)):
            session = runtime.private_films.new(self.job_id, path, avatar_id)
            try:
                spoken = self._spoken()
                job = runtime.speak_film(session, *spoken, ending=ending, actions=actions)
                return self._follow(job)
            except Exception as error:
                if runtime.is_stopping:
                    raise JobStopped from error
                if not left or not isinstance(error, TRANSIENT):
                    raise
                log.warning("the film of job %s is tried again: %s", self.job_id, error)
                self.reported.wait(str(error))
                pause(getattr(error, "retry_after_s", 1.0), self.progress)
        raise AssertionError

    def _follow(self, job: SpeakJob) -> SpeakResult:
        """Wait for the end of a clip, and report its frames; ends it if the job must end."""
        progress = self.progress
        progress.on_cancel(partial(job.cancel, ENDED))
        self.reported.start(job)
        try:
            for event in job.events(on_wait=progress.check):
                progress.check()
                self.reported.note(event)
        except BaseException:
            job.cancel(ENDED)
            wait_until_over(job)
            raise
        said = job.result()
        if said.interrupted or said.truncated_by is not None:
            raise FilmIncomplete(said.truncated_by)
        return said

    def _enhanced(self, film: Path) -> Path:
        """Return the film, with enhanced faces if the options request it."""
        method = self.request.options.enhance
        if method is None:
            return film
        return self.tools.enhancer.enhance(
            film, method, check=self.progress.check, report=self.reported.enhance
        )

    def _cut(self, avatar: Avatar, film: Path) -> Path:
        """Return the film with the person before a colour, or cut out, if the options ask for it.

        A source with transparent parts has the colour already.
        """
        options = self.request.options
        if options.background is None or self._has_backdrop():
            return film
        self.reported.deliver()
        tools, folder = self.tools, self.progress.folder
        if options.background != TRANSPARENT:
            cut = Cut(models=tools.preparer.face_models, background=options.background)
            write_cut(film, folder / BACKED, cut, check=self.progress.check)
            return folder / BACKED
        form = form_of(options, avatar, logo=None, logo_size=(0, 0), captions=folder / CAPTIONS)
        cut = Cut(models=tools.preparer.face_models, crop=form.crop, size=form.size)
        write_cut(film, folder / CUT_OUT, cut, check=self.progress.check)
        return folder / CUT_OUT

    def _has_backdrop(self) -> bool:
        """True if the transparent parts of the source have been filled with the colour."""
        source, colour = self.request.source, self.request.options.background
        if source is None or colour == TRANSPARENT:
            return False
        return has_transparency(self.tools.checks.source(source))

    def _deliver(self, avatar: Avatar, film: Path) -> MadeFile:
        """Write the file of a finished film; return its facts."""
        self.reported.deliver()
        folder = self.progress.folder
        result = folder / f"result.{self.request.options.result_format}"
        if film.name == CUT_OUT:
            film.replace(result)
            remove_all_but(folder, {result.name, CAPTIONS})
            return read_made_file(result)
        form = self._form(avatar)
        deliver(film, result, form, check=self.progress.check)
        remove_all_but(folder, {result.name, CAPTIONS})
        return read_made_file(result)

    def _form(self, avatar: Avatar) -> FilmForm:
        """Write the logo and the captions; return the form of the file."""
        options, folder = self.request.options, self.progress.folder
        logo, logo_size = None, (0, 0)
        if options.logo is not None:
            upload = self.tools.checks.logo(options.logo.upload)
            picture = read_cut_out(upload.path, max_side=MAX_SIDE)
            logo, logo_size = folder / LOGO, picture.size
            cv2.imwrite(str(logo), picture.picture)
        captions = folder / CAPTIONS
        if options.subtitles:
            captions.write_text(transcript_of(folder / FILM), encoding="utf-8")
        return form_of(options, avatar, logo=logo, logo_size=logo_size, captions=captions)

    def _shows_open_mouth(self, avatar_id: str) -> bool | None:
        """True if the mouth of the source is open; None if that is not known."""
        try:
            verdict = self.tools.avatars.summary(avatar_id).verdict
        except AvatarMissing:  # deleted while it is in memory
            return None
        if verdict is None:
            return None
        return any(remark.kind == "mouth_open" for remark in verdict.remarks)


def facts_of(avatar_id: str, said: SpeakResult, made: MadeFile) -> dict[str, Any]:
    """Facts of a result."""
    render_s = said.timings.render_s
    return {
        "avatar_id": avatar_id,
        "frames": made.frames,
        "duration_s": round(made.duration_s, 3),
        "width": made.width,
        "height": made.height,
        "size_bytes": made.size_bytes,
        "fps": round(float(made.fps), 3),
        "voice": said.voice,
        "remarks": list(said.remarks),
        "rendered_fps": round(said.clip.frames / render_s, 1) if render_s else None,
    }


def wait_until_over(job: SpeakJob) -> None:
    """Wait until the render thread has released the film of a cancelled job."""
    deadline_s = time.monotonic() + RELEASE_S
    while not job.is_over and time.monotonic() < deadline_s:
        time.sleep(POLL_S)


def pause(seconds: float, progress: JobProgress) -> None:
    """Wait before another attempt; raises the error of `progress.check`."""
    deadline_s = time.monotonic() + min(seconds, MAX_PAUSE_S)
    while time.monotonic() < deadline_s:
        progress.check()
        time.sleep(POLL_S)


def remove_all_but(folder: Path, kept: set[str]) -> None:
    """Remove the files of a folder whose names are not in `kept`."""
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
