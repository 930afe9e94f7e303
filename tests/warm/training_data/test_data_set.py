"""Raw videos become a data set that the training can read."""

import json
import wave
from html.parser import HTMLParser
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.warm.training_data.conftest import SHOT_FRAMES
from tests.warm.training_data.talking_films import MODELS, RATE_HZ, DataSet, voice
from warm.__main__ import main
from warm.training_data.reader import ReaderOptions, TrainingClip, read_list

pytestmark = pytest.mark.slow

OPTIONS = ReaderOptions(min_face_size=90)


@pytest.fixture(scope="module")
def stems(data_set: DataSet) -> list[str]:
    names = read_list(data_set.hdtf / "train.txt")
    return [name.removesuffix(".json") for name in names]


@pytest.fixture(scope="module")
def clips(data_set: DataSet, stems: list[str]) -> list[TrainingClip]:
    metas = (data_set.hdtf / "meta" / f"{stem}.json" for stem in stems)
    return [TrainingClip(meta, data_set.root, OPTIONS) for meta in metas]


@pytest.fixture(scope="module")
def report(data_set: DataSet) -> dict[str, dict[str, object]]:
    facts = json.loads((data_set.hdtf / "preprocess" / "report.json").read_text("ascii"))
    return {source["file"]: source for source in facts["sources"]}


def test_each_shot_becomes_a_clip_with_a_name_that_the_training_can_read(stems: list[str]) -> None:
    assert [stem[:7] for stem in stems] == ["clip000", "clip001"]
    assert all(" " not in stem and ".mp4" not in stem for stem in stems)


def test_the_first_line_of_the_list_is_lost_without_losing_a_clip(data_set: DataSet) -> None:
    lines = (data_set.hdtf / "train.txt").read_text().splitlines()
    assert lines[0] == lines[1]
    assert len(lines) == 3


def test_clips_end_at_the_cut(data_set: DataSet, clips: list[TrainingClip]) -> None:
    frames = [clip.frames for clip in clips]
    assert all(SHOT_FRAMES - 3 <= count <= SHOT_FRAMES for count in frames)
    levels = [grey_level(clip.mp4) for clip in clips]
    assert max(levels[0]) - min(levels[0]) < 3
    assert max(levels[1]) - min(levels[1]) < 3
    assert min(levels[0]) > 1.3 * max(levels[1])


def grey_level(path: Path) -> list[float]:
    """Mean brightness of each frame."""
    with av.open(str(path)) as film:
        return [float(each.to_ndarray(format="gray").mean()) for each in film.decode(video=0)]


def test_all_lists_of_a_clip_have_one_entry_per_frame(
    data_set: DataSet, clips: list[TrainingClip], stems: list[str]
) -> None:
    for stem, clip in zip(stems, clips, strict=True):
        facts = json.loads((data_set.hdtf / "meta" / f"{stem}.json").read_text())
        with av.open(str(clip.mp4)) as film:
            stream = film.streams.video[0]
            assert stream.average_rate == 25
            assert stream.codec_context.name == "h264"
            assert stream.codec_context.pix_fmt == "yuv420p"
            count = sum(1 for _ in film.decode(stream))
        lengths = (facts["frames"], len(facts["face_list"]), len(facts["landmark_list"]))
        assert lengths == (count, count, count)
        assert facts["isvalid"] is True
        assert facts["mp4_path"] == f"dataset/HDTF/video_audio_clip_root/{stem}.mp4"
        assert facts["wav_path"] == facts["mp4_path"].replace(".mp4", ".wav")


def test_the_first_and_the_last_sample_can_be_read(clips: list[TrainingClip]) -> None:
    rng = np.random.default_rng(1)
    for clip in clips:
        for item in clip.items([0, clip.last_start], rng):
            assert item.pictures.shape == item.references.shape == (16, 3, 256, 256)
            assert item.masks.shape == (16, 3, 256, 256)
            assert item.audio_feature.shape == (80, 3000)
            assert item.mel.shape == (1, 80, 52)
            assert -1 <= item.pictures.min() < 0 < item.pictures.max() <= 1
            assert 0.01 < item.masks.mean() < 0.3


def test_the_landmarks_lie_on_the_features_of_the_face(clips: list[TrainingClip]) -> None:
    points = clips[0].landmarks.astype(float).mean(axis=0)
    eyes = points[36:48].mean(axis=0)
    iod = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
    assert points[17:27, 1].max() < eyes[1] < points[33, 1] < points[51, 1] < points[57, 1]
    assert points[57, 1] < points[8, 1]
    assert points[0, 0] < points[48, 0] < points[54, 0] < points[16, 0]
    assert 0.5 < (points[54, 0] - points[48, 0]) / iod < 1.1


def test_the_box_and_the_landmarks_belong_to_one_face(clips: list[TrainingClip]) -> None:
    for clip in clips:
        inside = clip.landmarks.mean(axis=1)
        assert (inside > clip.boxes[:, :2]).all()
        assert (inside < clip.boxes[:, 2:]).all()
        assert (clip.landmarks.min(axis=1) >= clip.boxes[:, :2] - 1).all()


def test_pictures_are_those_of_the_raw_video_frame_by_frame(
    data_set: DataSet, clips: list[TrainingClip], report: dict[str, dict[str, object]]
) -> None:
    start = report["Grace Hopper.mp4 (1).MP4"]["clips"][1]["start"]  # type: ignore[index]
    with av.open(str(data_set.source / "Grace Hopper.mp4 (1).MP4")) as film:
        raw = [each.to_ndarray(format="gray") for each in film.decode(video=0)][start : start + 20]
    with av.open(str(clips[1].mp4)) as film:
        made = [each.to_ndarray(format="gray") for each in film.decode(video=0)][:20]
    for at in range(1, 19):
        errors = [psnr(made[at], raw[other]) for other in (at - 1, at, at + 1)]
        assert int(np.argmax(errors)) == 1
        assert errors[1] > 40


def psnr(one: np.ndarray, other: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(cv2.PSNR(one, other))


def test_sound_and_pictures_of_a_clip_begin_together(
    clips: list[TrainingClip], report: dict[str, dict[str, object]]
) -> None:
    entry = report["Grace Hopper.mp4 (1).MP4"]["clips"][1]  # type: ignore[index]
    truth = voice(2 * SHOT_FRAMES / 25)[entry["start"] * 1920 :][: RATE_HZ * 4]
    with wave.open(str(clips[1].wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        assert file.getnframes() == 640 * clips[1].frames
        heard = np.frombuffer(file.readframes(64_000), "<i2").astype(np.float64)
    assert abs(lag(truth[::3].astype(np.float64), heard)) <= 16
    assert abs(lag(truth[::3].astype(np.float64), clips[1].sound[:64_000].astype(float))) <= 16
    assert len(clips[1].sound) >= 640 * clips[1].frames


def lag(one: np.ndarray, other: np.ndarray) -> int:  # type: ignore[type-arg]
    """Samples by which the second sound is late."""
    size = 1 << 18
    product = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)))
    at = int(np.argmax(product))
    return at if at < size // 2 else at - size


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("empty.mp4", "0 bytes"),
        ("mute.mp4", "no audio track"),
        ("zzz copy.mov", "same content as Grace Hopper.mp4 (1).MP4"),
    ],
)
def test_a_file_that_is_not_used_is_reported_with_the_reason(
    file: str, reason: str, report: dict[str, dict[str, object]]
) -> None:
    assert reason in str(report[file]["problem"])
    assert report[file]["clips"] == []


def test_frames_with_two_people_are_left_out(report: dict[str, dict[str, object]]) -> None:
    assert report["couple.mkv"]["unusable"] == {"several faces": 14}


def test_a_second_audio_track_is_mentioned(report: dict[str, dict[str, object]]) -> None:
    assert "2 audio tracks; number 1" in str(report["Grace Hopper.mp4 (1).MP4"]["notes"])


def test_the_second_data_set_has_the_same_entries(data_set: DataSet, stems: list[str]) -> None:
    twin = data_set.root / "dataset" / "VFHQ"
    assert read_list(twin / "train.txt") == [f"{stem}.json" for stem in stems]
    for stem in stems:
        meta = Path("meta") / f"{stem}.json"
        assert (twin / meta).read_bytes() == (data_set.hdtf / meta).read_bytes()


class Links(HTMLParser):
    """Addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_the_report_shows_a_picture_of_each_clip_and_loads_nothing_from_elsewhere(
    data_set: DataSet, stems: list[str]
) -> None:
    folder = data_set.hdtf / "preprocess"
    links = Links()
    links.feed((folder / "report.html").read_text("utf-8"))
    assert links.found == [f"pictures/{stem}.jpg" for stem in stems]
    for link in links.found:
        assert cv2.imread(str(folder / link)).shape == (384, 768, 3)


def test_a_second_run_changes_no_byte_and_makes_no_clip_again(data_set: DataSet) -> None:
    before, clip = data_set.outputs(), next(data_set.hdtf.rglob("clip000_*.mp4"))
    made_at = clip.stat().st_mtime_ns
    assert main(["preprocess", "--config", str(data_set.config), "--models", str(MODELS)]) == 0
    assert data_set.outputs() == before
    assert clip.stat().st_mtime_ns == made_at


def test_the_check_finds_a_clip_that_was_damaged_later(
    data_set: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = next(data_set.hdtf.rglob("clip001_*.mp4"))
    data = clip.read_bytes()
    try:
        clip.write_bytes(data[: len(data) // 2])
        assert (
            main(["preprocess", "--check", "--workers", "1", "--config", str(data_set.config)]) == 1
        )
    finally:
        clip.write_bytes(data)
    shown = capsys.readouterr().out
    assert "1 of 2 listed clips can be read by the training." in shown
    assert "clip001" in shown
