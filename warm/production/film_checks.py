"""Checks of a request for a film, before it becomes a job."""

from dataclasses import dataclass

from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice
from warm.production.backdrop import has_transparency
from warm.production.errors import UnsupportedOption
from warm.production.film_request import FilmRequest, TextSpeech
from warm.production.framing import face_area, logo_place, scaled
from warm.runtime import Runtime
from warm.uploads.store import UploadStore
from warm.uploads.upload import Upload

NO_MATTE = (
    "needs a source with transparent parts, of which this one has none. Send a picture or "
    "video of the person without a background as `source`, or omit the colour"
)
NO_WORDS = "needs a text: the words of a recording are not known. Omit it"


@dataclass(frozen=True, slots=True)
class FilmChecks:
    """Checks requests for films. Any thread."""

    runtime: Runtime
    uploads: UploadStore

    def check(self, request: FilmRequest) -> None:
        """Raise the error that the job would end with, as far as it can be known beforehand.

        Raises AvatarError, UnknownUpload, UploadNotAllowed, BadSpeechRequest, UnsupportedOption,
        and MediaError for a picture that cannot be read.
        """
        if request.text is not None:
            choice = self.choice(request.text)
            self.runtime.check_styles(self.plain(request.text), choice)
        if request.recording is not None:
            self.recording(request.recording)
        if request.source is not None:
            self.source(request.source)
        self.check_options(request)
        if request.options.background is not None and request.source is not None:
            self.transparent_source(request.source, request.options.background)
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
        return self.uploads.admit(self.uploads.get(upload_id), frozenset({"sound"}))

    def source(self, upload_id: str) -> Upload:
        """Return an uploaded picture or video; raises UnknownUpload and UploadNotAllowed."""
        return self.uploads.admit(self.uploads.get(upload_id), frozenset({"picture", "video"}))

    def logo(self, upload_id: str) -> Upload:
        """Return an uploaded picture; raises UnknownUpload and UploadNotAllowed."""
        return self.uploads.admit(self.uploads.get(upload_id), frozenset({"picture"}))

    def transparent_source(self, upload_id: str, colour: str) -> Upload:
        """Return a source whose transparent parts are to be filled with a colour.

        Raises UnsupportedOption if it has none, and the errors of `source`.
        """
        source = self.source(upload_id)
        if not has_transparency(source):
            raise UnsupportedOption("options.background", colour, NO_MATTE)
        return source

    def check_options(self, request: FilmRequest) -> None:
        """Raise UnsupportedOption for options that do not fit one another."""
        options = request.options
        if options.background is not None and request.source is None:
            raise UnsupportedOption("options.background", options.background, NO_MATTE)
        if options.subtitles and request.recording is not None:
            raise UnsupportedOption("options.subtitles", options.subtitles, NO_WORDS)
        if options.logo is not None:
            self.logo(options.logo.upload)

    def _check_avatar(self, request: FilmRequest, avatar_id: str) -> None:
        """Raise AvatarError for an avatar that cannot be used, UnsupportedOption for its logo."""
        options = request.options
        self.runtime.avatar_cache.reload_facts(avatar_id)
        if options.logo is None:
            return
        logo = self.logo(options.logo.upload)
        avatar = self.runtime.avatar_cache.fetch(avatar_id)
        area = face_area(avatar)
        shown = avatar.size if options.stitch else (area.width, area.height)
        size = (int(logo.facts["width"]), int(logo.facts["height"]))
        logo_place(options.logo, size, scaled(shown, options.output_resolution))
