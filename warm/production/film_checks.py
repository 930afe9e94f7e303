"""Checks of a request for a film, before it becomes a job."""

from dataclasses import dataclass

from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice
from warm.avatars.action import find_action
from warm.production.errors import UnsupportedOption
from warm.production.film_enhancer import FilmEnhancer
from warm.production.film_options import TRANSPARENT, FilmOptions
from warm.production.film_request import FilmRequest, TextSpeech
from warm.production.framing import face_area, logo_place, scaled
from warm.runtime import Runtime
from warm.uploads.store import UploadStore
from warm.uploads.upload import Upload

ONLY_WEBM = "needs the format webm: other files have no transparency. Ask for webm, or a colour"
ONLY_CUT = (
    "cannot be combined with a transparent background; omit it, or choose a colour as background"
)
NO_ACTIONS = "needs a prepared avatar with actions as `avatar_id`. Omit it"
NO_WORDS = "needs a text: the words of a recording are not known. Omit it"


@dataclass(frozen=True, slots=True)
class FilmChecks:
    """Checks requests for films. Any thread."""

    runtime: Runtime
    uploads: UploadStore
    enhancer: FilmEnhancer

    def check(self, request: FilmRequest) -> None:
        """Raise the error that the job would end with, as far as it can be known beforehand.

        Raises AvatarError, UnknownUpload, UploadNotAllowed, BadSpeechRequest, UnsupportedOption,
        PackageMissing and WeightsError if the requested enhancement is unavailable, and MediaError
        for a picture that cannot be read.
        """
        if request.text is not None:
            choice = self.choice(request.text)
            self.runtime.check_styles(self.plain(request.text), choice)
        if request.recording is not None:
            self.recording(request.recording)
        if request.source is not None:
            self.source(request.source)
        self.check_options(request)
        self.enhancer.check(request.options.enhance)
        if request.avatar_id is not None:
            self._check_avatar(request, request.avatar_id)

    def choice(self, speech: TextSpeech) -> VoiceChoice:
        """Return the voice of a text; raises BadSpeechRequest."""
        return self.runtime.choose(voice=speech.voice, language=speech.language, speed=speech.speed)

    def plain(self, speech: TextSpeech) -> PlainText:
        """Return a text without its markup; raises BadSpeechRequest."""
        return self.runtime.plain_text(speech.text, speech.markup)

    def recording(self, upload_id: str) -> Upload:
        """Return an uploaded sound; raises UnknownUpload and UploadNotAllowed."""
        return self.uploads.admit(self.uploads.obtain(upload_id), frozenset({"sound"}))

    def source(self, upload_id: str) -> Upload:
        """Return an uploaded picture or video; raises UnknownUpload and UploadNotAllowed."""
        return self.uploads.admit(self.uploads.obtain(upload_id), frozenset({"picture", "video"}))

    def logo(self, upload_id: str) -> Upload:
        """Return an uploaded picture; raises UnknownUpload and UploadNotAllowed."""
        return self.uploads.admit(self.uploads.obtain(upload_id), frozenset({"picture"}))

    def check_options(self, request: FilmRequest) -> None:
        """Raise UnsupportedOption for options that do not fit one another."""
        options = request.options
        if options.background == TRANSPARENT:
            check_transparent(options)
        if options.subtitles and request.recording is not None:
            raise UnsupportedOption("options.subtitles", options.subtitles, NO_WORDS)
        if options.action is not None and request.avatar_id is None:
            raise UnsupportedOption("options.action", options.action, NO_ACTIONS)
        if options.logo is not None:
            self.logo(options.logo.upload)

    def _check_avatar(self, request: FilmRequest, avatar_id: str) -> None:
        """Raise the errors of an avatar that cannot be used, of its action and of its logo.

        These are AvatarError, UnknownAction and UnsupportedOption.
        """
        options = request.options
        self.runtime.avatar_cache.reload_facts(avatar_id)
        if options.action is not None:
            avatar = self.runtime.avatar_cache.fetch(avatar_id)
            find_action(avatar_id, avatar.actions, options.action)
        if options.logo is None:
            return
        logo = self.logo(options.logo.upload)
        avatar = self.runtime.avatar_cache.fetch(avatar_id)
        area = face_area(avatar)
        shown = avatar.size if options.stitch else (area.width, area.height)
        size = (int(logo.facts["width"]), int(logo.facts["height"]))
        logo_place(options.logo, size, scaled(shown, options.output_resolution))


def check_transparent(options: FilmOptions) -> None:
    """Raise UnsupportedOption for options that a transparent film cannot have."""
    if options.result_format != "webm":
        raise UnsupportedOption("options.result_format", options.result_format, ONLY_WEBM)
    for name in ("logo", "fps", "subtitles"):
        value = getattr(options, name)
        if value not in (None, False):
            raise UnsupportedOption(f"options.{name}", value, ONLY_CUT)
