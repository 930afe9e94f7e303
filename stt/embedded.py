"""The recogniser of this machine: a pinned model in a process of its own."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stt.embedded_utterance import EmbeddedUtterance
from stt.errors import (
    LanguageNotSupported,
    RecogniserAbsent,
    RecogniserFetching,
    SpeechError,
)
from stt.model_fetch import ModelFetch
from stt.pins import FOLDER, PINNED_MODELS
from stt.recogniser import RecogniserPhase, RecogniserState
from stt.recognition_process import RecognitionProcess, worker_command

REQUIREMENTS = "requirements-whisper.txt"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedOptions:
    """Options of the recogniser."""

    models_dir: Path
    idle_s: float = 300.0
    """Time without recordings after which the process is ended; 0: never."""
    timeout_s: float = 20.0
    """Longest time for one step of the recognition."""
    threads: int = 1
    allow_fetch: bool = True
    """Fetch the files when they are needed."""


class EmbeddedRecogniser:
    """Recognises speech with a model of `stt.pins`."""

    def __init__(self, key: str, options: EmbeddedOptions) -> None:
        """`key`: one of `PINNED_MODELS`. Nothing is started or fetched yet."""
        self._key, self._model, self._options = key, PINNED_MODELS[key], options
        self._folder = (options.models_dir / FOLDER).resolve()
        self._fetch = ModelFetch(self._model, self._folder)
        self._process = RecognitionProcess(
            worker_command(key, self._folder, options.threads),
            idle_s=options.idle_s,
            step_s=options.timeout_s,
        )
        self._problem = ""
        """Reason of the last failure to start the process."""

    @property
    def pid(self) -> int | None:
        """The id of the process; None while there is none."""
        return self._process.pid

    def listen(
        self, language: str | None = None, is_cancelled: Callable[[], bool] = lambda: False
    ) -> EmbeddedUtterance:
        """Begin a recording; raises SpeechError."""
        self._check_language(language)
        self._check_packages()
        if not self._model.is_present(self._folder):
            self._require_files()
        return EmbeddedUtterance(self._process, self._model.name, language, is_cancelled)

    def state(self) -> RecogniserState:
        """Return the state."""
        phase, detail = self._phase()
        progress = self._fetch.progress
        return RecogniserState(
            name=self._model.name,
            kind="embedded",
            phase=phase,
            progress=progress.fraction if progress and phase == "fetching" else None,
            detail=detail,
            licence=self._model.licence,
            languages=self._model.languages,
        )

    def prepare(self) -> None:
        """Fetch the files if they are missing, or load the model, in the background."""
        if self._missing_package():
            return
        if not self._model.is_present(self._folder):
            if self._options.allow_fetch:
                self._fetch.start()
            return
        threading.Thread(target=self._start, name="load-recogniser", daemon=True).start()

    def close(self) -> None:
        """End the process and the fetch."""
        self._fetch.close()
        self._process.close()

    def _start(self) -> None:
        try:
            self._process.start()
            self._problem = ""
        except SpeechError as error:
            self._problem = str(error)
            log.warning("%s", error)

    def _phase(self) -> tuple[RecogniserPhase, str]:
        if package := self._missing_package():
            return "absent", absent_package(self._model.name, package)
        if self._fetch.is_running:
            progress = self._fetch.progress
            return "fetching", str(progress or "looking for the files")
        if not self._model.is_present(self._folder):
            return "absent", self._fetch.problem or self._absent()
        return self._process.phase, self._problem

    def _check_language(self, language: str | None) -> None:
        known = self._model.languages
        if language is not None and known and language.split("-")[0].lower() not in known:
            raise LanguageNotSupported(
                f"language = {language[:40]!r}: {self._model.name} knows only {', '.join(known)}. "
                "Choose a recogniser of other languages with the setting transcriber: "
                "whisper-base, or the address of a server."
            )

    def _check_packages(self) -> None:
        if package := self._missing_package():
            raise RecogniserAbsent(absent_package(self._model.name, package))

    def _missing_package(self) -> str | None:
        return next((each for each in self._model.packages if find_spec(each) is None), None)

    def _require_files(self) -> None:
        """Start a fetch if that is allowed; raises RecogniserFetching or RecogniserAbsent."""
        if not self._options.allow_fetch:
            raise RecogniserAbsent(self._absent())
        problem = self._fetch.problem
        self._fetch.start()
        if problem:
            raise RecogniserAbsent(f"{self._absent()} The last attempt to fetch them: {problem}")
        progress = self._fetch.progress
        percent = f" ({100 * progress.fraction:.0f} %)" if progress else ""
        raise RecogniserFetching(
            f"The recogniser {self._model.name} is being fetched{percent}. Try again soon; "
            "`GET /transcribe/model` reports the progress."
        )

    def _absent(self) -> str:
        return (
            f"The files of the recogniser {self._model.name} "
            f"({self._model.size_bytes / 1e6:.0f} MB, {self._model.licence}) are not in "
            f"{self._folder}. Run `make hear`, or `POST /transcribe/model/prepare`."
        )


def absent_package(model: str, package: str) -> str:
    """Return the message on a package that a model needs."""
    return (
        f"The recogniser {model} needs the package {package}, which is not installed. Run "
        f"`.venv/bin/python -m pip install -r {REQUIREMENTS}`, or set transcriber to moonshine."
    )
