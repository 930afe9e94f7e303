"""`python -m warm render`: complete films, in sync to the frame, all checked before the first."""

import ctypes
import fcntl
import tracemalloc
import wave
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from isolation.item import Item
from session.film import FilmSpec
from session.fragmented.journal import journal_path
from tests.tiny_face import FRAMES, MOUTH, PATCH, LoudnessEngine, tiny_avatar
from tests.warm.sample_videos import portrait
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.plain_text import PlainText, Style
from tts.voice import VoiceChoice
from warm.__main__ import main
from warm.avatars.avatar import AvatarBuild
from warm.avatars.store import AvatarStore
from warm.engines.base import PatchRequest, ReadyPatches
from warm.engines.viseme.engine import VisemeEngine
from warm.offline.chunks import chunks_from_audio, windows
from warm.offline.task import FIELD_NAMES, read_tasks

ROOT = Path(__file__).parents[3]
RATE_HZ, FPS = 48_000, 25
PER_FRAME = RATE_HZ // FPS
SPEC = FilmSpec(width=96, height=80, fps=FPS)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with the avatar `tiny`; its parent is the working directory."""
    monkeypatch.chdir(tmp_path)
    store_avatar(tmp_path / "results", "tiny", engine="viseme", bbox_shift=3)
    return tmp_path / "results"


@pytest.fixture
def loudness(engine: LoudnessEngine, monkeypatch: pytest.MonkeyPatch) -> LoudnessEngine:
    """The engine of all films; the brightness of a square shows the loudness of a frame."""
    monkeypatch.setattr("warm.offline.runner.make_engine", lambda _settings: engine)
    return engine


def store_avatar(results: Path, avatar_id: str, **settings: object) -> None:
    store, like = AvatarStore(results), tiny_avatar(results)
    with store.building(avatar_id) as folder:
        build = AvatarBuild(
            folder=folder,
            fps=like.fps,
            frames=like.frames,
            transforms=like.transforms,
            landmarks=like.landmarks,
            loop=like.loop,
            extras={},
        )
        for name in ("frames", "transforms", "landmarks"):
            np.save(folder / f"{name}.npy", getattr(like, name))
        facts = {"source": "face.mp4", "settings": settings}
        store.write_manifest(
            build, avatar_id=avatar_id, digest=avatar_id * 9, metadata=facts, notes=()
        )


def sound_file(path: Path, sound: NDArray[np.float64], rate_hz: int = RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def clicks(seconds: float, frames: Sequence[int]) -> NDArray[np.float64]:
    """Return silence with a loud tenth of a frame in the middle of some frames."""
    sound = np.zeros(round(seconds * RATE_HZ))
    for frame in frames:
        middle = frame * PER_FRAME + PER_FRAME // 2
        sound[middle : middle + PER_FRAME // 10] = 0.9
    return sound


def render(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["render", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def render_whole(*arguments: object, capsys: pytest.CaptureFixture[str]) -> None:
    """Render what must succeed; a failure shows what was printed."""
    code, printed, errors = render(*arguments, capsys=capsys)
    assert code == 0, f"{printed}\n{errors}"


def pictures(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return np.stack(shown)


def audio_of(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def brightness(shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    x, y = MOUTH
    square = shown[:, y + 4 : y + PATCH - 4, x + 4 : x + PATCH - 4]
    return np.asarray(square.mean(axis=(1, 2, 3)))


def background(shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(shown[:, 4:20, 4:20].mean(axis=(1, 2, 3)))


@pytest.mark.usefixtures("loudness")
def test_every_frame_is_written_including_a_partial_last_one(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = 3 + 0.2 / FPS
    audio = sound_file(results / "a.wav", clicks(seconds, [7, 40, 74]))
    code, out, shown = render("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    assert code == 0
    assert "a.mp4: 76 frames, 3.04 s, made in " in out
    assert "76/76" in shown and "frames/s" in shown, (
        "a bar with frames per second and remaining time"
    )
    film = pictures(Path("a.mp4"))
    assert len(film) == 76
    loop = [*range(FRAMES), *reversed(range(FRAMES))]
    greys = [60 + 15 * loop[at % len(loop)] for at in range(76)]
    assert np.abs(background(film) - greys).max() < 4, "frame n of the film is frame n of the loop"


@pytest.mark.usefixtures("loudness")
def test_the_mouth_flashes_on_the_frames_with_a_click(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [3, 29, 30, 55, 99]
    sound = clicks(4, at)
    audio = sound_file(results / "a.wav", sound)
    render_whole("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    bright = brightness(pictures(Path("a.mp4")))
    assert [int(frame) for frame in np.flatnonzero(bright > 120)] == at
    found = np.abs(audio_of(Path("a.mp4")))
    loud = np.flatnonzero(found > 0.45)
    assert {int(sample) // PER_FRAME for sample in loud} == set(at), "audio and video in sync"
    assert abs(int(loud[0]) - int(np.flatnonzero(sound)[0])) <= 24


@pytest.mark.usefixtures("loudness")
def test_the_audio_is_that_of_the_file_and_in_sync(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = np.arange(2 * 16_000) / 16_000
    tone = 0.4 * np.sin(2 * np.pi * (200 + 300 * times) * times)
    audio = sound_file(results / "a.wav", tone, 16_000)
    render_whole("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    found = audio_of(Path("a.mp4"))[: 2 * RATE_HZ]
    fine = np.arange(2 * RATE_HZ) / RATE_HZ
    expected = 0.4 * np.sin(2 * np.pi * (200 + 300 * fine) * fine)
    spectrum = np.fft.rfft(found, 2**18) * np.conj(np.fft.rfft(expected, 2**18))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    assert min(lag, 2**18 - lag) <= 2
    error = found[2000:-2000] - expected[2000:-2000]
    noise_db = 10 * np.log10((error**2).mean() / (expected**2).mean())
    assert noise_db < -25


@pytest.mark.usefixtures("loudness")
def test_the_film_is_a_faststart_mp4(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audio = sound_file(results / "a.wav", clicks(1.5, [3]))
    render_whole("--audio", audio, "--avatar", "tiny", "--out", "x/a.mp4", capsys=capsys)
    content = Path("x/a.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat") and b"moof" not in content
    with av.open("x/a.mp4") as container:
        video, audio_stream = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio_stream.codec_context.name) == ("h264", "aac")
        assert video.frames == 38 and float(video.duration * video.time_base) == 38 / FPS
        keys = [packet.is_keyframe for packet in container.demux(video) if packet.size]
    assert keys[0] and sum(keys) == 2, "a key frame a second"
    assert [path.name for path in Path("x").iterdir()] == ["a.mp4"]


@pytest.mark.usefixtures("loudness")
def test_no_frame_is_lost_between_the_chunks_of_a_long_file(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [0, 748, 749, 750, 751, 1499, 1500, 1501, 1610]
    audio = sound_file(results / "a.wav", clicks(64.48, at))
    render_whole("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    bright = brightness(pictures(Path("a.mp4")))
    assert len(bright) == 1612
    assert [int(frame) for frame in np.flatnonzero(bright > 120)] == at


def test_the_chunks_of_a_long_file_have_the_features_of_the_whole(
    results: Path, voices: VoiceRegistry
) -> None:
    choice = voices.choose(voice="espeak-en-us-female", language=None, speed=1.0)
    (speech,) = voices.speak("One two three four five six seven eight.", choice)
    rate_hz = speech.sample_rate_hz
    sound = np.tile(np.pad(speech.samples, (0, rate_hz // 3)), 40)[: 64 * rate_hz]
    audio = sound_file(results / "a.wav", sound.astype(np.float64), rate_hz)
    engine = VisemeEngine()
    parts = np.concatenate([each.features for each in chunks_from_audio(audio, engine, SPEC)])
    whole = np.concatenate(list(windows(audio)))
    one = engine.encode_speech(Speech("", whole, RATE_HZ, None), frames=len(parts), fps=FPS)
    assert len(parts) == 64 * FPS
    assert np.abs(parts - one).max() < 1e-4


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_audio(results: Path) -> None:
    engine = VisemeEngine()
    times = np.arange(4 * 8000) / 8000
    syllables = 0.3 * np.sin(2 * np.pi * 3 * times) ** 2 * np.sin(2 * np.pi * 300 * times)
    peaks = []
    for minutes in (2, 4):
        audio = sound_file(results / f"{minutes}.wav", np.tile(syllables, 15 * minutes), 8000)
        tracemalloc.start()
        frames = sum(len(chunk.features) for chunk in chunks_from_audio(audio, engine, SPEC))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert frames == minutes * 60 * FPS
    assert peaks[1] < 1.05 * peaks[0] < 300e6


class ShrinkingEngine(LoudnessEngine):
    """Takes smaller batches after the first, as an engine short of memory does."""

    @property
    def largest_batch(self) -> int | None:  # type: ignore[override]
        return 3 if self.rendered else 10

    def submit(self, requests: Sequence[PatchRequest]) -> ReadyPatches:
        assert len(requests) <= (self.largest_batch or 0)
        return super().submit(requests)


def test_an_engine_may_lower_its_batch_size_while_it_works(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("warm.offline.runner.make_engine", lambda _settings: ShrinkingEngine())
    audio = sound_file(results / "a.wav", clicks(1.2, [11, 29]))
    render_whole("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    bright = brightness(pictures(Path("a.mp4")))
    assert [int(frame) for frame in np.flatnonzero(bright > 120)] == [11, 29] and len(bright) == 30


@pytest.mark.usefixtures("loudness", "results")
def test_a_text_is_spoken_by_the_chosen_voice(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = render(
        *("--text", "Guten Tag.", "--language", "de", "--avatar", "tiny", "--out", "a.mp4"),
        capsys=capsys,
    )
    assert code == 0 and "a.mp4: " in out
    film, sound = pictures(Path("a.mp4")), audio_of(Path("a.mp4"))
    assert len(film) > 20 and abs(len(sound) - len(film) * PER_FRAME) < 2048
    assert np.abs(sound).max() > 0.1 and brightness(film).max() > 60


@pytest.mark.usefixtures("loudness")
def test_silence_gives_a_motionless_film_and_a_note(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("tiny").mkdir()  # must not be mistaken for the avatar
    audio = sound_file(results / "a.wav", np.zeros(8000), 8000)
    code, out, _ = render("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    assert code == 0 and "a.wav: The audio is silent; the mouth stays closed." in out
    assert len(pictures(Path("a.mp4"))) == 25


@pytest.mark.usefixtures("loudness")
def test_a_finished_film_is_kept_until_its_inputs_change(
    results: Path, loudness: LoudnessEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    audio = sound_file(results / "a.wav", clicks(1, [3]))
    arguments = ("--audio", audio, "--avatar", "tiny", "--out", "a.mp4")
    render_whole(*arguments, capsys=capsys)
    first = Path("a.mp4").read_bytes()
    code, out, _ = render(*arguments, capsys=capsys)
    assert code == 0 and "Already done: a.mp4 (--force renders it again)" in out
    sound_file(audio, clicks(1, [20]))
    code, _, err = render(*arguments, capsys=capsys)
    assert code == 1 and "result: a.mp4 exists and is a different film" in err
    assert Path("a.mp4").read_bytes() == first
    render_whole(*arguments, "--force", capsys=capsys)
    assert [int(f) for f in np.flatnonzero(brightness(pictures(Path("a.mp4"))) > 120)] == [20]


@pytest.mark.usefixtures("loudness")
def test_an_interrupted_film_leaves_no_file_and_the_old_one_stays(
    results: Path, loudness: LoudnessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = sound_file(results / "a.wav", clicks(6, [3]))
    Path("a.mp4").write_bytes(b"the old film")

    def stopped(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("warm.offline.render.composite", stopped)
    arguments = ["--audio", str(audio), "--avatar", "tiny", "--out", "a.mp4", "--force"]
    assert main(["render", *arguments]) == 130
    assert Path("a.mp4").read_bytes() == b"the old film"
    assert [path.name for path in Path().glob(".*")] == []


@pytest.mark.usefixtures("loudness")
def test_abandoned_temporary_files_are_removed_but_not_those_being_written(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio = sound_file(results / "a.wav", clicks(1, [3]))
    abandoned, busy, other = Path(".a.mp4.1.new"), Path(".a.mp4.2.new"), Path(".b.mp4.1.new")
    for path in (abandoned, other):
        path.write_bytes(b"half")
    with busy.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, _, _ = render("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    assert code == 0 and len(pictures(Path("a.mp4"))) == 25
    assert not abandoned.exists() and busy.exists() and other.exists()


def write_tasks(text: str) -> str:
    Path("tasks.yaml").write_text(text)
    return "tasks.yaml"


@pytest.mark.usefixtures("loudness")
def test_every_task_gives_a_film(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound_file(results / "a.wav", clicks(1, [3]))
    tasks = write_tasks(
        "tasks:\n"
        "- {audio: results/a.wav, avatar: tiny, result: films/one.mp4}\n"
        "- {text: Hello., avatar: tiny, bbox_shift: 3, result: films/two.mp4, speed: 1.5}\n"
    )
    code, out, _ = render("--tasks", tasks, capsys=capsys)
    assert code == 0
    assert "films/one.mp4: 25 frames" in out and "films/two.mp4: " in out
    assert sorted(path.name for path in Path("films").iterdir()) == ["one.mp4", "two.mp4"]


INVALID_TASKS = """\
tasks:
- {audio: results/a.wav, avatar: tiny, result: good.mp4}
- {audio: results/gone.wav, avatar: tiny, result: b.mp4}
- {audio: results/cut.wav, avatar: tiny, result: c.mp4}
- {audio: results/a.wav, avatar: unknown, result: d.mp4}
- {audio: results/a.wav, video: results/a.wav, result: e.mp4}
- {audio: results/a.wav, avatar: neural, result: f.mp4}
- {audio: results/a.wav, avatar: tiny, bbox_shift: 7, result: g.mp4}
- {text: Hello., voice: unknown, avatar: tiny, result: h.mp4}
- {text: '...', avatar: tiny, result: i.mp4}
- {audio: results/a.wav, avatar: tiny, result: results/full_session.mp4}
"""
FAULTS = [
    (2, "audio", "There is no file results/gone.wav"),
    (3, "audio", "is damaged or truncated at 0.50 s (0.50 s of 1.00 s are missing)"),
    (4, "avatar", "There is no avatar 'unknown'"),
    (5, "video", "not a readable photo or video"),
    (6, "avatar", "was prepared for the engine 'musetalk', but the engine is 'viseme'"),
    (7, "bbox_shift", "is 7; the avatar 'tiny' was prepared with 3."),
    (8, "voice", "unknown"),
    (9, "text", ""),
    (10, "result", "is the film of a session"),
]
"""Task number, field and message; the first task is valid."""


@pytest.mark.usefixtures("loudness")
def test_every_invalid_task_is_listed_before_any_is_started(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_avatar(results, "neural", engine="musetalk", bbox_shift=0)
    good = sound_file(results / "a.wav", clicks(1, [3]))
    data = good.read_bytes()
    (results / "cut.wav").write_bytes(data[: len(data) // 2])
    (results / "full_session.mp4").touch()
    journal_path(results / "full_session.mp4").touch()
    code, _, err = render("--tasks", write_tasks(INVALID_TASKS), capsys=capsys)
    assert code == 1 and not Path("good.mp4").exists()
    lines = err.splitlines()
    assert lines[0] == "RefusedTasks: No task was started:"
    for number, field, message in FAULTS:
        (line,) = (line for line in lines if line.startswith(f"task {number}, {field}: "))
        assert message in line
    assert len(lines) == 1 + len(FAULTS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tasks: []", "must contain `tasks:` with a list of one or more"),
        ("films: [1]", "must contain `tasks:`"),
        ("tasks: [}", "cannot be read as YAML"),
        ("tasks: [hello]", "task 1: must be a mapping of fields, received 'hello'"),
        ("tasks: [{vidoe: a.mp4}]", "task 1: unknown field 'vidoe'; did you mean 'video'?"),
        ("tasks: [{avatar: a, text: b}]", "task 1, result: is missing"),
        (
            "tasks: [{avatar: a, text: b, result: c.avi}]",
            "task 1, result: is 'c.avi'; it must end in .mp4.",
        ),
        (
            "tasks: [{avatar: a, result: c.mp4}]",
            "task 1, audio or text: neither is given; give one of them, or both.",
        ),
        (
            "tasks: [{avatar: a, video: v, text: t, result: c.mp4}]",
            "task 1, avatar or video: both are given",
        ),
        (
            "tasks: [{avatar: a, text: t, bbox_shift: 99, result: c.mp4}]",
            "task 1, bbox_shift: is 99; allowed are -60 to 60.",
        ),
        (
            "tasks: [{avatar: a, text: t, bbox_shift: yes, result: c.mp4}]",
            "task 1, bbox_shift: is True; it must be a number.",
        ),
        (
            "tasks: [{avatar: a, audio: t, voice: v, result: c.mp4}]",
            "task 1, voice: is allowed with text only",
        ),
        (
            "tasks: [{avatar: a, text: t, result: c.mp4}, {avatar: b, text: u, result: ./c.mp4}]",
            "task 2, result: c.mp4 is also the result of task 1.",
        ),
    ],
)
@pytest.mark.usefixtures("results")
def test_a_fault_in_a_task_file_names_task_and_field(
    content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = render("--tasks", write_tasks(content), capsys=capsys)
    assert code == 1 and message in err and len(err.splitlines()) <= 6


def test_one_failing_task_does_not_stop_the_others(
    results: Path, loudness: LoudnessEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    sound_file(results / "a.wav", clicks(1, [3]))
    cv2.imwrite(str(results / "wall.png"), np.full((200, 200, 3), 99, np.uint8))
    tasks = write_tasks(
        "tasks:\n"
        "- {audio: results/a.wav, video: results/wall.png, result: one.mp4}\n"
        "- {audio: results/a.wav, avatar: tiny, result: two.mp4}\n"
    )
    code, out, err = render("--tasks", tasks, "--models", ROOT / "models", capsys=capsys)
    assert code == 1
    assert "task 1: results/a.wav with results/wall.png -> one.mp4: NoFaceError: " in err
    assert "1 of 2 films were not made." in err
    assert "two.mp4: 25 frames" in out and len(pictures(Path("two.mp4"))) == 25
    assert not Path("one.mp4").exists()


def test_an_engine_error_fails_the_film_and_leaves_no_file(
    results: Path, loudness: LoudnessEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    audio = sound_file(results / "a.wav", clicks(8, [3]))
    loudness.broken_after = 60
    code, _, err = render("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    assert code == 1 and "RuntimeError: the engine broke" in err
    assert [path.name for path in Path().iterdir() if "a.mp4" in path.name] == []


@pytest.mark.usefixtures("loudness")
def test_too_long_audio_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audio = sound_file(results / "a.wav", clicks(4, [3]))
    arguments = ("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", "--max-audio-s", "3")
    code, _, err = render(*arguments, capsys=capsys)
    assert code == 1 and "audio: " in err and "is longer than 3 s (max_audio_s)" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--audio", "a.wav"],
        ["--audio", "a.wav", "--avatar", "tiny"],
        ["--tasks", "t.yaml", "--avatar", "tiny"],
        ["--tasks", "t.yaml", "--audio", "a.wav"],
        ["--avatar", "tiny", "--out", "c.mp4"],
    ],
)
def test_contradictory_flags_are_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["render", *arguments])
    assert exited.value.code == 2
    assert "usage: python -m warm render" in capsys.readouterr().err


@pytest.mark.slow
def test_a_photo_is_prepared_once_and_rendered_with_the_real_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("Anna B.png", portrait(240))
    arguments = ("--text", "Mamma mia!", "--avatar", "Anna B.png", "--models", ROOT / "models")
    code, _, shown = render(*arguments, "--out", "a.mp4", capsys=capsys)
    assert code == 0 and "finishing: 100%" in shown
    (avatar,) = AvatarStore(Path("results")).list()
    assert avatar.id.startswith("Anna-B-")
    film = pictures(Path("a.mp4")).astype(np.int16)
    assert np.abs(film[12:30] - film[0]).max() > 60, "the mouth moves"
    code, _, shown = render(*arguments, "--out", "b.mp4", capsys=capsys)
    assert code == 0 and "finishing" not in shown, "the avatar is up to date"


def test_the_shipped_example_is_valid_and_explains_every_field() -> None:
    tasks = read_tasks(ROOT / "configs" / "tasks.yaml")
    assert len(tasks) >= 2
    comments = (ROOT / "configs" / "tasks.yaml").read_text()
    assert [name for name in FIELD_NAMES if name not in comments] == []


@pytest.mark.usefixtures("loudness")
def test_a_sound_file_that_crashes_the_decoder_is_a_fault_of_its_task_only(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = sound_file(results / "a.wav", clicks(1, [3]))
    arguments = ("--audio", audio, "--avatar", "tiny", "--out", "a.mp4")
    with monkeypatch.context() as broken:
        broken.setattr("warm.media.audio.read_audio", crash)
        code, _, err = render(*arguments, capsys=capsys)
    assert code == 1 and not Path("a.mp4").exists()
    assert f"audio: The process that read {audio} died of SIGSEGV" in err
    assert "Convert the file with another program, and send the result." in err
    render_whole(*arguments, capsys=capsys)


def crash(_path: Path, *, rate_hz: int) -> Iterator[Item]:
    """A reader with the fault that a decoder may have."""
    yield Item({"stored": f"at {rate_hz} Hz"}, np.zeros(100, np.float32))
    ctypes.string_at(0)


@pytest.mark.usefixtures("loudness")
def test_what_was_odd_about_a_sound_file_is_printed(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio = sound_file(results / "a.wav", clicks(1, [3]))
    content = bytearray(audio.read_bytes())
    content[4:8], content[40:44] = b"\x24\xf0\xff\x7f", b"\x00\xf0\xff\x7f"
    audio.write_bytes(content)
    code, out, _ = render("--audio", audio, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    assert code == 0 and len(pictures(Path("a.mp4"))) == FPS
    assert f"Note: {audio}: The header announces 22369.58 s, which is a placeholder" in out


@pytest.mark.usefixtures("loudness", "results")
def test_markup_of_a_text_is_not_spoken(capsys: pytest.CaptureFixture[str]) -> None:
    lengths = {}
    texts = {
        "said": ("One two three.", "plain"),
        "markdown": ("**One** `two` [three](https://example.com/a/long/path).", "auto"),
        "ssml": ("<speak>One <emphasis>two</emphasis> three.</speak>", "ssml"),
        "paused": ('<speak>One two <break time="2s"/> three.</speak>', "auto"),
    }
    for name, (text, markup) in texts.items():
        flags = ("--text", text, "--markup", markup, "--voice", "espeak:en-us")
        face = ("--avatar", "tiny", "--out", f"{name}.mp4")
        code, _, error = render(*flags, *face, capsys=capsys)
        assert code == 0, error
        lengths[name] = len(pictures(Path(f"{name}.mp4"))) / FPS
    assert lengths["markdown"] == lengths["ssml"] == lengths["said"]
    assert lengths["paused"] - lengths["said"] == pytest.approx(2, abs=0.5)


@pytest.mark.usefixtures("loudness", "results")
@pytest.mark.parametrize(
    ("text", "markup", "message"),
    [("One.", "html", "markup: is 'html'; allowed are auto"), ("<speak>One", "ssml", "line 1")],
)
def test_bad_markup_is_refused_before_anything_is_made(
    text: str, markup: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = render(
        *("--text", text, "--markup", markup, "--avatar", "tiny", "--out", "a.mp4"), capsys=capsys
    )
    assert code != 0
    assert message in error
    assert not Path("a.mp4").exists()


class UnevenVoices:
    """A voice that says a text in another time whenever it is asked, as espeak-ng does."""

    def __init__(self, voices: VoiceRegistry) -> None:
        self._voices = voices
        self.said = 0

    def choose(self, **choice: Any) -> VoiceChoice:
        return self._voices.choose(**choice)

    def check(self, style: Style, choice: VoiceChoice) -> None:
        self._voices.check(style, choice)

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        return self.read(PlainText.of(text), choice)

    def close(self) -> None:
        pass

    def read(self, text: PlainText, choice: VoiceChoice) -> Iterator[Speech]:
        for speech in self._voices.read(text, choice):
            self.said += 1
            samples = np.pad(speech.samples, (0, 2000 * self.said))
            yield replace(speech, samples=samples, phonemes=None)


@pytest.mark.usefixtures("loudness", "results")
def test_a_text_is_said_once_and_its_film_is_as_long_as_that(
    voices: VoiceRegistry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uneven = UnevenVoices(voices)
    monkeypatch.setattr("warm.offline.runner.configured_voices", lambda _: uneven)
    text = ("--text", "One. Two. Three.", "--voice", "espeak:en-us")
    code, _, error = render(*text, "--avatar", "tiny", "--out", "a.mp4", capsys=capsys)
    assert code == 0, error
    assert uneven.said == 3
    assert len(pictures(Path("a.mp4"))) > 30
