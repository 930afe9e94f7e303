"""Films that jobs make, judged by their decoded pictures and sound."""

import io
import wave
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from session.fragmented.boxes import iter_boxes
from tests.polling import wait_until
from tests.shown_person import show_person
from tests.tiny_face import HEIGHT, MOUTH, WIDTH, LoudnessEngine
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.engines.base import EngineLost, PatchRequest, PendingPatches
from warm.enhance.errors import EnhanceError
from warm.enhance.program import enhance
from warm.jobs.errors import JobCancelled, JobStopped
from warm.jobs.job import Job
from warm.jobs.progress import JobProgress
from warm.matting.cut_film import pictures_of
from warm.matting.errors import NoPerson
from warm.preparer.options import PrepareOptions
from warm.preparer.preparer import Preparer
from warm.production import film_enhancer
from warm.production.errors import UnsupportedOption
from warm.production.film_enhancer import FilmEnhancer
from warm.production.film_handler import CAPTIONS, FilmHandler
from warm.runtime import Runtime
from warm.settings import Settings
from warm.uploads.store import UploadStore
from warm.uploads.upload import ALL_KINDS, Upload

pytestmark = pytest.mark.slow

TEXT = "Hello. The second one."
LONG = "This sentence is said again and again. " * 40
RED, GREEN = (0, 0, 255), (0, 255, 0)


@dataclass
class ReadyPreparer:
    """Has prepared every picture already; remembers those that it was asked for."""

    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    face_models = Path(__file__).parents[3] / "models" / "face"

    def ensure(self, upload: Upload, *_callbacks: object) -> str:
        with av.open(str(upload.path)) as source:
            self.pictures += [each.to_ndarray(format="bgr24") for each in source.decode(video=0)]
        return "tiny"

    def settings_of(self, _options: PrepareOptions) -> PreparationSettings:
        return Settings().preparation_settings


class Studio:
    """A handler, and the folder of its jobs."""

    def __init__(self, runtime: Runtime, folder: Path, uploads: UploadStore) -> None:
        self.folder, self.uploads = folder / "jobs", uploads
        self.preparer = ReadyPreparer()
        self.handler = FilmHandler(
            runtime=runtime,
            uploads=uploads,
            preparer=cast(Preparer, self.preparer),
            avatars=AvatarStore(folder / "results"),
            enhancer=FilmEnhancer(Settings(models_dir=self.preparer.face_models.parent)),
        )
        self.count = 0

    def progress(self) -> JobProgress:
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir(parents=True)
        return JobProgress(folder, 900.0)

    def make(self, progress: JobProgress | None = None, **request: Any) -> dict[str, Any]:
        """Make a film of a text, unless the request says otherwise."""
        request = {"avatar_id": "tiny", "text": {"text": TEXT}} | request
        request = {name: value for name, value in request.items() if value is not None}
        job = Job(
            id=f"job_{self.count}", kind="film", surface="jobs", owner="", state="running",
            request={"options": {}} | request, extra={}, created_s=0.0,
        )  # fmt: skip
        return self.handler.run(job, progress or self.progress())

    def result(self) -> Path:
        (found,) = (self.folder / str(self.count)).glob("result.*")
        return found

    def upload(self, picture: NDArray[np.uint8]) -> str:
        encoded = cv2.imencode(".png", picture)[1].tobytes()
        return self.uploads.receive([encoded], allowed=ALL_KINDS, owner="").id


@pytest.fixture
def studio(runtime: Runtime, tmp_path: Path) -> Iterator[Studio]:
    with closing(UploadStore(tmp_path / "uploads")) as uploads:
        yield Studio(runtime, tmp_path, uploads)


def decoded(path: Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)])


def shades(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Brightness of the corner, which identifies the picture of the loop."""
    return np.asarray(pictures[:, 4:20, 4:20].mean(axis=(1, 2, 3)), np.float64)


def codecs(path: Path) -> list[str]:
    with av.open(str(path)) as film:
        return [stream.codec_context.name for stream in film.streams]


def captions(path: Path) -> list[str]:
    with av.open(str(path)) as film:
        stream = film.streams.subtitles[0]
        return [bytes(packet).decode(errors="replace") for packet in film.demux(stream)]


def test_a_film_is_an_ordinary_file_with_every_picture_and_its_facts(
    studio: Studio, runtime: Runtime
) -> None:
    facts = studio.make()
    pictures = decoded(studio.result())
    assert pictures.shape == (facts["frames"], HEIGHT, WIDTH, 3)
    shown = [runtime.avatar.frames[runtime.avatar.index_at(n)].mean() for n in range(len(pictures))]
    assert np.abs(shades(pictures) - shown).max() < 3
    kinds = [kind for kind, *_ in iter_boxes(studio.result().read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert b"moof" not in kinds
    assert facts["duration_s"] == pytest.approx(facts["frames"] / 25)
    assert (facts["width"], facts["height"], facts["fps"]) == (WIDTH, HEIGHT, 25)
    assert facts["size_bytes"] == studio.result().stat().st_size
    assert facts["voice"].startswith("espeak:")
    assert facts["rendered_fps"] > 0
    assert [path.name for path in studio.result().parent.iterdir()] == ["result.mp4"]


def test_the_picture_is_scaled_to_the_shorter_side(studio: Studio) -> None:
    plain = studio.make()["frames"]
    facts = studio.make(options={"output_resolution": 160})
    assert (facts["width"], facts["height"], facts["frames"]) == (192, 160, plain)
    assert decoded(studio.result()).shape[1:3] == (160, 192)


def test_the_face_alone_is_a_square(studio: Studio) -> None:
    facts = studio.make(options={"stitch": False})
    assert facts["width"] == facts["height"] == min(WIDTH, HEIGHT)


def test_the_film_can_have_more_or_fewer_pictures_per_second(studio: Studio) -> None:
    plain = studio.make()
    for fps in (10, 50):
        facts = studio.make(options={"fps": fps})
        assert facts["fps"] == fps
        assert facts["frames"] == pytest.approx(plain["frames"] * fps / 25, abs=2)
        assert facts["duration_s"] == pytest.approx(plain["duration_s"], abs=0.2)


@pytest.mark.parametrize(("x", "left"), [(4, 4), (-11, WIDTH - 26)])
def test_a_logo_is_laid_over_the_picture_with_its_transparency(
    studio: Studio, x: int, left: int
) -> None:
    logo = np.zeros((12, 16, 4), np.uint8)
    logo[:, 8:] = (*RED, 255)  # its left half is transparent
    facts = studio.make(options={"logo": {"upload": studio.upload(logo), "x": x, "y": 6}})
    plain_frames = facts["frames"]
    picture = decoded(studio.result())[plain_frames // 2].astype(int)
    box = picture[8:16, left + 10 : left + 14].mean(axis=(0, 1))
    assert np.abs(box - RED).max() < 40
    clear = picture[8:16, left + 1 : left + 6]
    assert np.abs(clear - clear.mean(axis=2, keepdims=True)).max() < 30


def test_a_logo_that_does_not_fit_is_refused_by_name(studio: Studio) -> None:
    logo = studio.upload(np.full((12, 16, 4), 255, np.uint8))
    with pytest.raises(UnsupportedOption, match=r"options\.logo.*16x12.*does not fit.*96x80"):
        studio.make(options={"logo": {"upload": logo, "x": WIDTH - 8}})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mov", ["h264", "aac", "mov_text"]), ("webm", ["vp9", "opus", "webvtt"])],
)
def test_other_formats_have_their_codecs_and_captions(
    studio: Studio, kind: str, expected: list[str]
) -> None:
    plain = studio.make()
    facts = studio.make(options={"result_format": kind, "subtitles": True})
    assert studio.result().name == f"result.{kind}"
    assert [name.removeprefix("lib").replace("vpx-", "") for name in codecs(studio.result())] == (
        expected
    )
    assert facts["frames"] == plain["frames"] == len(decoded(studio.result()))
    said = " ".join(captions(studio.result()))
    assert "Hello." in said
    assert "The second one." in said
    written = (studio.result().parent / CAPTIONS).read_text(encoding="utf-8")
    assert written.startswith("WEBVTT\n")
    assert "The second one." in written


def test_a_fluent_film_with_silence_ends_where_the_loop_begins(
    studio: Studio, runtime: Runtime
) -> None:
    plain = studio.make()["frames"]
    facts = studio.make(options={"fluent": True, "pad_audio_s": 1.0})
    assert plain + 25 <= facts["frames"] < plain + 25 + runtime.avatar.period
    assert facts["frames"] % runtime.avatar.period == 0
    ends = shades(decoded(studio.result()))
    assert abs(ends[-1] - ends[0]) < 3  # of a loop forwards and backwards


def test_a_recording_is_spoken_in_place_of_a_text(studio: Studio) -> None:
    times = np.arange(2 * 16_000) / 16_000
    sound = np.where(times % 0.5 < 0.25, 0.3 * np.sin(2 * np.pi * 220 * times), 0.0)
    with io.BytesIO() as file:
        with wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(16_000)
            wav.writeframes((32767 * sound).astype("<i2").tobytes())
        recording = studio.uploads.receive([file.getvalue()], allowed=ALL_KINDS, owner="").id
    facts = studio.make(text=None, recording=recording)
    assert 2.0 <= facts["duration_s"] < 2.5
    x, y = MOUTH
    mouth = decoded(studio.result())[:, y + 4 : y + 20, x + 4 : x + 20].mean(axis=(1, 2, 3))
    loud, quiet = mouth[[3, 16, 28, 41]], mouth[[9, 22, 34, 47]]
    assert loud.min() > quiet.max() + 20
    with pytest.raises(UnsupportedOption, match=r"options\.subtitles = True: needs a text"):
        studio.make(text=None, recording=recording, options={"subtitles": True})


def test_a_colour_fills_the_transparent_parts_of_the_source(studio: Studio) -> None:
    person = np.zeros((64, 64, 4), np.uint8)
    person[16:48, 16:48] = (*RED, 255)
    studio.make(avatar_id=None, source=studio.upload(person), options={"background": "#0f0"})
    (picture,) = studio.preparer.pictures
    assert np.abs(picture[4, 4].astype(int) - GREEN).max() == 0
    assert np.abs(picture[30, 30].astype(int) - RED).max() == 0


def transparent_video(path: Path) -> bytes:
    """Ten pictures of a red square on a transparent background."""
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("png", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width = stream.height = 64
        stream.pix_fmt = "rgba"
        for _ in range(10):
            picture = np.zeros((64, 64, 4), np.uint8)
            picture[16:48, 16:48] = (255, 0, 0, 255)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
        container.mux(stream.encode())
    return path.read_bytes()


def test_a_colour_fills_the_transparent_parts_of_a_video(studio: Studio, tmp_path: Path) -> None:
    video = transparent_video(tmp_path / "a.mov")
    source = studio.uploads.receive([video], allowed=ALL_KINDS, owner="").id
    studio.make(avatar_id=None, source=source, options={"background": "#00ff00"})
    assert len(studio.preparer.pictures) == 10
    for picture in studio.preparer.pictures:
        assert np.abs(picture[4, 4].astype(int) - GREEN).max() < 12
        assert np.abs(picture[30, 30].astype(int) - RED).max() < 12


@pytest.mark.slow
def test_a_film_that_cannot_be_enhanced_is_not_delivered_as_it_is(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_here(film: Path, out: Path, method: str, settings: Any, **_: Any) -> None:
        enhance({"source": str(film), "out": str(out), "method": method, "settings": settings})

    monkeypatch.setattr(film_enhancer, "write_enhanced", write_here)
    with pytest.raises(EnhanceError, match="No face was found"):
        studio.make(options={"enhance": "sharpen"})
    settings = studio.handler.enhancer.settings.model_copy(update={"enhance_max_s": 1.0})
    studio.handler = replace(studio.handler, enhancer=FilmEnhancer(settings))
    with pytest.raises(UnsupportedOption, match=r"options\.enhance = 'sharpen': .* at most 1 s"):
        studio.make(options={"enhance": "sharpen"})


@pytest.mark.slow
def test_a_person_that_cannot_be_found_is_not_cut_out(studio: Studio) -> None:
    for options in (
        {"background": "#00ff00"},
        {"background": "transparent", "result_format": "webm"},
    ):
        with pytest.raises(NoPerson, match="no person was found in the first picture"):
            studio.make(options=options)


@pytest.mark.slow
def test_a_film_shows_the_person_before_a_colour_or_cut_out(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_person(monkeypatch)
    facts = studio.make(options={"background": "#00ff00", "subtitles": True})
    pictures = decoded(studio.result())
    assert len(pictures) == facts["frames"] > 10
    assert np.abs(pictures[:, 2:6, 90:94].astype(int) - GREEN).max() < 30
    assert captions(studio.result())
    options = {"background": "transparent", "result_format": "webm", "output_resolution": 160}
    facts = studio.make(options=options)
    cut = list(pictures_of(studio.result()))
    assert (facts["width"], facts["height"], facts["frames"]) == (192, 160, len(cut))
    assert codecs(studio.result()) == ["vp9", "opus"]
    assert max(picture[4:12, 180:188, 3].max() for picture in cut) < 20
    assert min(picture[70, 96, 3] for picture in cut) == 255


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, r"options\.result_format = 'mp4': needs the format webm"),
        ({"result_format": "webm", "subtitles": True}, r"options\.subtitles = True: cannot be"),
        ({"result_format": "webm", "fps": 30}, r"options\.fps = 30: cannot be combined"),
    ],
)
def test_options_that_a_transparent_film_cannot_have_are_refused(
    studio: Studio, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(UnsupportedOption, match=named):
        studio.make(options={"background": "transparent", **options})


def test_progress_counts_the_frames(studio: Studio) -> None:
    progress = studio.progress()
    seen: list[tuple[float, str]] = []
    report = progress.report

    def observed(fraction: float, stage: str) -> None:
        report(fraction, stage)
        seen.append(progress.last)

    progress.report = observed  # type: ignore[method-assign]
    facts = studio.make(progress)
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert any(stage.startswith(f"{facts['frames']} of about") for _, stage in seen)
    assert seen[-1] == (0.9, "writing the file")


@pytest.mark.parametrize(
    ("end", "error"), [(JobProgress.cancel, JobCancelled), (JobProgress.stop, JobStopped)]
)
def test_a_film_ends_soon_after_its_job_is_ended(
    studio: Studio, runtime: Runtime, end: Callable[[JobProgress], None], error: type[Exception]
) -> None:
    progress = studio.progress()
    film = progress.folder / "film.mp4"

    def end_later() -> None:
        wait_until(lambda: film.exists() and film.stat().st_size > 5_000, "the first frames")
        end(progress)

    Thread(target=end_later, daemon=True).start()
    with pytest.raises(Exception, match="job") as caught:
        studio.make(progress, text={"text": LONG})
    assert isinstance(caught.value, error) or isinstance(progress.interruption, error)
    wait_until(lambda: not runtime.health().processing, "the end of the clip")
    assert studio.make()["frames"] > 0


class FailingOnce(LoudnessEngine):
    """Its device fails once, in the middle of a film."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_at: int | None = None

    def submit(self, requests: Any) -> PendingPatches:
        found: list[PatchRequest] = list(requests)
        if self.fails_at is not None and self.rendered >= self.fails_at:
            self.fails_at = None
            raise EngineLost("the device was lost")
        return super().submit(found)


@pytest.fixture
def engine() -> LoudnessEngine:
    cv2.setNumThreads(1)
    return FailingOnce()


def test_a_film_begins_again_after_the_device_was_lost(studio: Studio, engine: FailingOnce) -> None:
    plain = studio.make()["frames"]
    engine.fails_at = engine.rendered + 20
    facts = studio.make()
    assert engine.fails_at is None
    assert facts["frames"] == plain == len(decoded(studio.result()))


def test_a_film_that_meets_the_stop_of_the_server_is_made_after_the_next_start(
    studio: Studio, runtime: Runtime
) -> None:
    progress = studio.progress()
    film = progress.folder / "film.mp4"

    def stop_later() -> None:
        wait_until(lambda: film.exists() and film.stat().st_size > 5_000, "the first frames")
        runtime.stop()

    Thread(target=stop_later, daemon=True).start()
    with pytest.raises(JobStopped):
        studio.make(progress, text={"text": LONG})
