"""The parts of the preprocessing that need no real video."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tts.onnx_voices.tiny_onnx import FLOAT, ModelWriter
from tests.warm.training_data.talking_films import moving, talking_film, voice
from warm.face.detector import Detection
from warm.face.landmarks import MESH_INDEX
from warm.face.mesh import Mesh
from warm.media.file_end import missing_share
from warm.media.sniff import MediaError
from warm.training_data.analysis import Analysis, ClipScale
from warm.training_data.check import listed_stems
from warm.training_data.config import MAX_CLIP_FRAMES, PreprocessConfig, read_config
from warm.training_data.errors import BadPreprocessConfig, ListMissingError, NoSourcesError
from warm.training_data.face_box import crop_box, face_box
from warm.training_data.face_network import TEMPLATE, FaceNetwork, five_of_68, to_template
from warm.training_data.fingerprints import fingerprint, show_the_same
from warm.training_data.layout import safe_name, unique_name
from warm.training_data.lip_sync_mel import COLUMNS_PER_SAMPLE, first_column, mel_of_sound
from warm.training_data.lists import list_lines
from warm.training_data.quality import loudness_dbfs, sync_rejections
from warm.training_data.reader import read_list
from warm.training_data.run import largest_first, run_preprocessing
from warm.training_data.segments import Segment, equal_parts, find_segments
from warm.training_data.shots import FADE_FRAMES, ShotMeter, find_cuts, thumbnail
from warm.training_data.source_record import SourceRecord
from warm.training_data.source_sound import SoundClock, SourceSound, write_sound
from warm.training_data.source_video import open_source_video
from warm.training_data.sources import Source
from warm.training_data.speaker_tracking import find_faces
from warm.training_data.speakers import Speaker, find_speakers, with_validation
from warm.training_data.sync import Sync, correlation, heard_lips, measure_sync, movements


def config_of(tmp_path: Path, text: str) -> PreprocessConfig:
    path = tmp_path / "preprocess.yaml"
    path.write_text(text, "utf-8")
    return read_config(path)


# --- configuration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip_len_seconds: 9", "no key clip_len_seconds; did you mean clip_len_second?"),
        ("crf: 99", "crf is '99'"),
        ("clip_len_second: 5", "clip_len_second is 5; the training rejects clips below 6.4 s"),
        ("meta_root: my data/meta", "meta_root is 'my data/meta'"),
        ("meta_root: films.mp4/meta", "space or .mp4"),
        ("speaker_pattern: '('", "not a regular expression"),
        ("speaker_pattern: 'abc'", "has no group"),
        ("- 1", "not a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_a_fault_of_the_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadPreprocessConfig) as caught:
        config_of(tmp_path, text)
    assert message in str(caught.value)


def test_the_keys_of_the_reference_are_accepted_and_clips_never_exceed_28_s(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        "video_root_raw: ./dataset/HDTF/source/\nvideo_root_25fps: ./dataset/x/\n"
        "video_audio_clip_root: ./c/\nmeta_root: ./m/\nvideo_file_list: ./l.txt\n"
        "clip_len_second: 30\nval_list_hdtf: [RD_Radio7, WRA]\n",
    )
    assert config.clip_frames == MAX_CLIP_FRAMES == 700
    assert config.val_list_hdtf == ("RD_Radio7", "WRA")


def test_a_missing_folder_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    config = PreprocessConfig(output_root=tmp_path)
    with pytest.raises(NoSourcesError, match="There is no folder"):
        run_preprocessing(config, tmp_path)
    assert list(tmp_path.iterdir()) == []
    config.at(config.video_root_raw).mkdir(parents=True)
    with pytest.raises(NoSourcesError, match="has no files"):
        run_preprocessing(config, tmp_path)


def test_a_check_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListMissingError, match=r"train\.txt cannot be read"):
        listed_stems(PreprocessConfig(output_root=tmp_path))


# --- names


@pytest.mark.parametrize(
    ("stem", "safe"),
    [
        ("RD_Radio10_000", "RD_Radio10_000"),
        ("a b\tc", "a_b_c"),
        ("take.mp4.MP4.x", "take_x"),
        ("Zoë.final", "Zoe_final"),
        ("视频", ""),
        ("..", ""),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_name_is_made_safe(stem: str, safe: str) -> None:
    assert safe_name(stem) == safe


def test_names_differ_also_where_case_is_ignored() -> None:
    digests = ["a" * 64, "b" * 64, "c" * 64]
    taken: set[str] = set()
    for stem, digest in zip(["Anna", "anna", "视频"], digests, strict=True):
        taken.add(unique_name(stem, digest, taken).lower())
    assert taken == {"anna", "anna_bbbbbbbb", "video_cccccccc"}


def test_the_largest_file_is_begun_first(tmp_path: Path) -> None:
    sources = []
    for name, size in (("a", 10), ("b", 30), ("c", 20)):
        path = tmp_path / name
        path.write_bytes(bytes(size))
        sources.append(Source(path, name, "", name))
    assert [each.name for each in largest_first(sources)] == ["b", "c", "a"]


# --- shots


def cuts_of(pictures: list[NDArray[np.uint8]]) -> list[int]:
    meter = ShotMeter()
    for picture in pictures:
        meter.add(picture)
    found = find_cuts(np.array(meter.steps), np.array(meter.strides))
    return np.flatnonzero(found).tolist()


def scene(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    return np.asarray(small.repeat(30, 0).repeat(30, 1))


def test_a_cut_is_found_and_movement_is_none() -> None:
    pictures = [*moving(30, scene(1)), *moving(30, scene(2))]
    assert cuts_of(pictures) == [30]


def test_a_jump_within_a_scene_is_a_cut() -> None:
    jumped = scene(1).copy()
    jumped[30:150, 60:180] = np.roll(jumped[30:150, 60:180], 40, axis=1)
    assert cuts_of([*moving(30, scene(1)), *moving(30, jumped, 30)]) == [30]


def test_a_dissolve_belongs_to_no_shot() -> None:
    one, other = scene(1).astype(float), scene(2).astype(float)
    mixed = [
        np.asarray(one + (other - one) * k / FADE_FRAMES, np.uint8) for k in range(FADE_FRAMES + 1)
    ]
    cuts = cuts_of([*[scene(1)] * 30, *mixed, *[scene(2)] * 30])
    assert set(range(32, 42)) <= set(cuts)
    assert min(cuts) >= 20
    assert max(cuts) <= 52


# --- clips


@pytest.mark.parametrize(
    ("frames", "parts"),
    [(159, []), (160, [160]), (700, [700]), (701, [350, 351]), (1500, [500, 500, 500])],
)
def test_a_run_is_divided_into_equal_parts(frames: int, parts: list[int]) -> None:
    assert [each.frames for each in equal_parts(Segment(7, 7 + frames), 700)] == parts


def analysis_of(frames: int) -> Analysis:
    """A face of 240 pixels in the middle of every frame of 640x480."""
    x, y = np.linspace(200, 440, 68), np.linspace(120, 360, 68)
    return Analysis(
        size=np.array([640, 480], np.int32),
        is_cut=np.zeros(frames, np.bool_),
        has_face=np.ones(frames, np.bool_),
        is_new_face=np.zeros(frames, np.bool_),
        box=np.tile(np.array([200, 120, 440, 360], np.int32), (frames, 1)),
        landmarks=np.tile(np.stack([x, y], 1).astype(np.int32), (frames, 1, 1)),
        extent=np.tile(np.array([200, 120, 440, 360], np.float32), (frames, 1)),
        lips=np.zeros((frames, 3), np.float32),
        yaw_deg=np.zeros(frames, np.float32),
        sharpness=np.ones(frames, np.float32),
        other=np.zeros(frames, np.float32),
        is_damaged=np.zeros(frames, np.bool_),
        is_repeated=np.zeros(frames, np.bool_),
        prints=np.zeros(0, np.str_),
    )


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("has_face", False, "no face"),
        ("extent", [-2, 120, 440, 360], "face partly outside the picture"),
        ("extent", [200, 120, 640, 360], "face partly outside the picture"),
        ("box", [250, 120, 400, 360], "face too small"),
        ("yaw_deg", -70, "head turned too far"),
        ("is_damaged", True, "damaged picture"),
    ],
)
def test_a_frame_that_cannot_be_used_ends_a_clip(field: str, value: object, reason: str) -> None:
    analysis = analysis_of(400)
    if field == "box":
        analysis.landmarks[200] = 300
    getattr(analysis, field)[200] = value
    segments, counts = find_segments(analysis, PreprocessConfig(), 400)
    assert segments == [Segment(0, 200), Segment(201, 400)]
    assert counts == {reason: 1}


def test_another_face_ends_a_clip_before_it_may_have_come() -> None:
    analysis = analysis_of(400)
    analysis.other[200:212] = 0.7
    segments, counts = find_segments(analysis, PreprocessConfig(), 400)
    assert segments == [Segment(0, 189), Segment(212, 400)]
    assert counts == {"several faces": 23}


def test_a_picture_that_stands_still_ends_a_clip_and_a_slow_video_does_not() -> None:
    analysis = analysis_of(400)
    analysis.is_repeated[1:100:2] = True
    analysis.is_repeated[200:210] = True
    segments, counts = find_segments(analysis, PreprocessConfig(), 400)
    assert segments == [Segment(0, 200), Segment(210, 400)]
    assert counts == {"picture that stands still": 10}


def test_a_new_face_without_a_gap_begins_a_clip_and_the_end_of_the_sound_ends_one() -> None:
    analysis = analysis_of(400)
    analysis.is_new_face[180] = True
    segments, counts = find_segments(analysis, PreprocessConfig(), 380)
    assert segments == [Segment(0, 180), Segment(180, 380)]
    assert counts == {"after the end of the sound": 20}


def test_the_box_stays_in_the_picture_and_the_crop_covers_box_and_landmarks() -> None:
    mesh = np.array([[-5.5, 3.2, 0], [70.9, 50.7, 0]], np.float32)
    assert face_box(mesh, (64, 48)).tolist() == [0, 3, 63, 47]
    crop = crop_box(np.array([10, 20, 30, 40]), np.array([[5, 25], [35, 50]]))
    assert crop.tolist() == [5, 20, 35, 50]


def test_landmarks_of_a_reduced_picture_are_placed_on_the_same_pixels_of_the_clip() -> None:
    scale = ClipScale.of((1920, 1080), 1920)
    mesh = np.array([[0, 0, 0], [1279, 719, 0]], np.float32)
    assert scale.size == (1920, 1080)
    assert scale.placed(mesh) == pytest.approx(np.array([[0.25, 0.25], [1918.75, 1078.75]]))


def test_the_table_of_landmarks_has_68_different_points() -> None:
    assert len(set(MESH_INDEX.tolist())) == len(MESH_INDEX) == 68


# --- faces


class SeenFaces:
    """A face finder that sees two faces, with given evidence of each."""

    def __init__(self, *logits: float) -> None:
        self.logits = logits
        self.detector = self.mesh = self

    def find_in_tiles(self, _picture: object, grid: int) -> list[Detection]:
        boxes = (np.array([300.0 * n, 0, 300 * n + 200, 200]) for n in range(len(self.logits)))
        return [Detection(box, np.zeros((6, 2)), 0.9) for box in boxes] if grid == 1 else []

    def at_detection(self, _picture: object, face: Detection) -> Mesh:
        points = np.zeros((468, 3), np.float32)
        points[0, :2], points[1:, :2] = face.xyxy[:2], face.xyxy[2:]
        return Mesh(points, self.logits[int(face.xyxy[0] // 300)])


@pytest.mark.parametrize(("evidence", "count"), [(3.5, 1), (16.0, 2)])
def test_a_curtain_that_looks_like_a_face_is_no_second_face(evidence: float, count: int) -> None:
    finder = SeenFaces(26.0, evidence)
    faces = find_faces(finder, np.zeros((400, 600, 3), np.uint8))  # type: ignore[arg-type]
    assert len(faces) == count
    assert faces[0].mesh.logit == 26


# --- sound


def audio_frame(samples: int, at: int, value: float) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(
        np.full((1, samples), value, np.float32), format="fltp", layout="mono"
    )
    frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), at
    return frame


def clocked(frames: list[av.AudioFrame], start_s: Fraction) -> NDArray[np.float32]:
    clock = SoundClock(start_s)
    parts = [part for frame in frames for part in clock.add(frame)]
    return np.concatenate([*parts, *clock.finish()])


def test_sound_before_the_first_picture_is_left_out_and_gaps_are_silent() -> None:
    frames = [audio_frame(9600, 0, 0.5), audio_frame(4800, 24_000, 0.25)]
    sound = clocked(frames, Fraction(1, 10))
    assert len(sound) == 24_000
    assert (sound[:4800] == 0.5).all()
    assert (sound[4800:19_200] == 0).all()
    assert (sound[19_200:] == 0.25).all()


def test_sound_that_overlaps_earlier_sound_is_cut_and_a_late_start_is_silent() -> None:
    frames = [audio_frame(9600, 4800, 0.5), audio_frame(9600, 9600, 0.25)]
    sound = clocked(frames, Fraction(0))
    assert len(sound) == 19_200
    assert (sound[:4800] == 0).all()
    assert (sound[4800:14_400] == 0.5).all()
    assert (sound[14_400:] == 0.25).all()


def test_sound_of_a_recorder_that_starts_late_is_moved_to_its_time(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    picture = np.full((64, 64, 3), 90, np.uint8)
    talking_film(path, moving(30, picture), [voice(1.0)], sound_at_s=0.2)
    sound = SourceSound.in_folder(tmp_path)
    list(write_sound(path, sound, start_s=Fraction(0), notes=[]))
    assert np.abs(sound.wav_part(0, 4)).max() < 300
    assert np.abs(sound.wav_part(6, 12)).max() > 3000
    assert len(sound.wav_part(28, 40)) == 12 * 640
    assert not sound.wav_part(33, 40).any()


@pytest.mark.parametrize(
    "content", [b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"ffconcat version 1.0\n", b"GIF89a"]
)
def test_a_file_that_only_names_other_files_is_not_opened(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match="not a video"), open_source_video(path, max_side=640):
        pass


def test_loudness_is_that_of_the_loud_moments() -> None:
    tone = np.tile(np.array([16384, -16384], np.int16), 8000)
    assert loudness_dbfs(tone) == pytest.approx(-6.02, abs=0.1)
    assert loudness_dbfs(np.zeros(16_000, np.int16)) == -120


# --- lips and sound


@pytest.fixture(scope="module")
def spoken() -> NDArray[np.int16]:
    """Twelve seconds of noise in irregular syllables."""
    rng = np.random.default_rng(3)
    parts = [
        voice(float(length), seed)[::3] * gain
        for seed, (length, gain) in enumerate(
            zip(rng.uniform(0.08, 0.3, 70), rng.choice([0.02, 1], 70), strict=True)
        )
    ]
    return np.asarray(np.concatenate(parts)[: 12 * 16_000] * 32767, np.int16)


def lips_that_say(
    sound: NDArray[np.int16], frames: int, noise: float = 0.03
) -> NDArray[np.float32]:
    """(frames, 3) measures of lips that open and round with the sound."""
    opening, _, unrounded, _ = heard_lips(sound, frames).T
    lips = np.stack([opening + unrounded, unrounded, opening], axis=1)
    return (lips + np.random.default_rng(1).normal(0, noise, lips.shape)).astype(np.float32)


@pytest.mark.parametrize("late", [-6, 0, 2, 6])
def test_the_distance_of_lips_and_sound_is_measured(spoken: NDArray[np.int16], late: int) -> None:
    lips = np.roll(lips_that_say(spoken, 280), -late, axis=0)
    found = measure_sync(lips, spoken[: 280 * 640], near=3)
    assert found.lag_frames == late
    assert found.best > 0.3
    assert bool(sync_rejections(found, 280, PreprocessConfig())) == (abs(late) > 3)


def test_lips_that_do_not_move_do_not_agree_with_speech(spoken: NDArray[np.int16]) -> None:
    found = measure_sync(np.zeros((280, 3), np.float32), spoken[: 280 * 640], near=3)
    (reason,) = sync_rejections(found, 280, PreprocessConfig())
    assert found == Sync(0, 0, 0)
    assert "do not agree" in reason


def test_a_sentence_without_round_vowels_can_agree_with_its_lips(
    spoken: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    lips, heard = lips_that_say(spoken, 280), heard_lips(spoken, 280)
    heard[:, 2:] = 0
    monkeypatch.setattr("warm.training_data.sync.heard_lips", lambda _sound, _frames: heard)
    found = measure_sync(lips, spoken[: 280 * 640], near=3)
    assert (found.lag_frames, found.best) == (0, found.correlation)
    assert not sync_rejections(found, 280, PreprocessConfig())


@pytest.mark.parametrize(
    ("frames", "correlation", "is_accepted"),
    [
        (160, 0.2, False),
        (160, 0.21, True),
        (300, 0.14, False),
        (300, 0.16, True),
        (700, 0.16, True),
    ],
)
def test_a_short_clip_must_agree_more_clearly_than_a_long_one(
    frames: int, correlation: float, *, is_accepted: bool
) -> None:
    found = sync_rejections(Sync(correlation, correlation, 0), frames, PreprocessConfig())
    assert (not found) == is_accepted
    assert not sync_rejections(Sync(-0.9, -0.9, 0), frames, PreprocessConfig(min_sync=-1))


def test_few_movements_that_have_nothing_in_common_are_accepted() -> None:
    rng = np.random.default_rng(5)
    config, accepted = PreprocessConfig(), 0
    for _ in range(400):
        filmed, heard = movements(walk(rng, 160)), movements(walk(rng, 160))
        values = {lag: correlation(filmed, heard, lag) for lag in range(-15, 16)}
        best = max(values, key=lambda lag: values[lag])
        near = max(values[lag] for lag in range(-3, 4))
        accepted += not sync_rejections(Sync(near, values[best], best), 160, config)
    assert accepted / 400 < 0.1


def walk(rng: np.random.Generator, frames: int) -> NDArray[np.float32]:
    """(frames, 4) opening twice and rounding twice, at random."""
    opening, rounding = rng.standard_normal((2, frames))
    return np.stack([opening, opening, rounding, rounding], axis=1).astype(np.float32)


@pytest.mark.parametrize("frames", range(160, 171))
def test_the_spectrogram_reaches_to_the_last_sample_of_every_clip(frames: int) -> None:
    mel = mel_of_sound(np.zeros(640 * frames, np.float32))
    assert mel.shape == (80, 1 + 640 * frames // 200)
    assert first_column(frames - 16) + COLUMNS_PER_SAMPLE <= mel.shape[1]
    assert (mel == -4).all()


# --- lists


def record_of(name: str, file: str, **more: list[str] | list[float]) -> SourceRecord:
    clips = [{"stem": f"clip{number:03d}_{name}"} for number in range(2)]
    return SourceRecord(key="", file=file, name=name, clips=clips, **more)  # type: ignore[arg-type]


def split(records: list[SourceRecord], **keys: object) -> tuple[Speaker, ...]:
    config = PreprocessConfig(**keys)  # type: ignore[arg-type]
    return with_validation(find_speakers(records, config), config)


RECORDS = [record_of(name, f"{name}.mp4") for name in ("ann_1", "ann_2", "bob_1", "cid_1")]


def test_a_speaker_with_a_listed_name_is_used_for_validation_with_all_clips() -> None:
    speakers = split(RECORDS, val_list_hdtf=("ann_2",), speaker_pattern="^([a-z]+)_")
    assert [s.name for s in speakers] == ["ann", "bob", "cid"]
    assert [s.is_val for s in speakers] == [True, False, False]
    assert len(speakers[0].stems) == 4


def test_a_share_of_the_speakers_is_chosen_that_new_speakers_do_not_change() -> None:
    chosen = {s.name for s in split(RECORDS, val_share=0.25) if s.is_val}
    again = {s.name for s in split(RECORDS[::-1], val_share=0.25) if s.is_val}
    assert len(chosen) == 1
    assert chosen == again


def test_the_only_speaker_is_used_for_training() -> None:
    assert [s.is_val for s in split(RECORDS[:1], val_share=0.5)] == [False]


def test_a_file_of_speakers_joins_videos(tmp_path: Path) -> None:
    path = tmp_path / "speakers.csv"
    path.write_text("\ufefffile,speaker\nann_1.mp4,Ann\ncid_1.mp4,Ann\n", "utf-8")
    speakers = split(RECORDS, speakers_file=path, val_share=0)
    assert [s.files for s in speakers] == [
        ("ann_1.mp4", "cid_1.mp4"),
        ("ann_2.mp4",),
        ("bob_1.mp4",),
    ]
    assert "Ann" in speakers[0].why


def test_a_file_of_speakers_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "speakers.csv"
    path.write_text("name;who\n", "utf-8")
    with pytest.raises(BadPreprocessConfig, match="first line must be file,speaker"):
        split(RECORDS, speakers_file=path)


def prints_of(first: int, last: int) -> list[str]:
    """Fingerprints of some scenes."""
    return [fingerprint(thumbnail(scene(seed))) for seed in range(first, last)]


def test_a_copy_that_was_scaled_and_encoded_again_shows_the_same_pictures() -> None:
    again = [
        fingerprint(thumbnail(cv2.GaussianBlur(scene(seed)[::2, ::2], (0, 0), 1.5)))
        for seed in range(4, 12)
    ]
    assert show_the_same(prints_of(1, 8), again)
    assert not show_the_same(prints_of(12, 20), again)
    assert fingerprint(thumbnail(np.full((90, 160, 3), 7, np.uint8))) == ""


def test_videos_of_one_recording_or_one_face_belong_to_one_speaker() -> None:
    records = [
        record_of("a", "a.mp4", prints=prints_of(1, 8), embedding=[1.0, 0.0]),
        record_of("b", "b.mp4", prints=prints_of(4, 12), embedding=[0.0, 1.0]),
        record_of("c", "c.mp4", prints=prints_of(20, 28), embedding=[0.1, 0.9]),
        record_of("d", "d.mp4", prints=prints_of(30, 38), embedding=[-1.0, 0.2]),
    ]
    speakers = split(records, val_share=0)
    assert [s.files for s in speakers] == [("a.mp4", "b.mp4", "c.mp4"), ("d.mp4",)]
    assert speakers[0].why == (
        "they show the same pictures; the network of face recognition finds the same face"
    )


@pytest.fixture
def colour_network(tmp_path: Path) -> Path:
    """A network whose embedding is the mean colour of a face."""
    model = ModelWriter()
    model.input("input", FLOAT, 4)
    model.output(model.node("Flatten", [model.node("GlobalAveragePool", ["input"])], axis=1))
    path = tmp_path / "colours.onnx"
    path.write_bytes(model.serialized())
    return path


def test_a_face_is_turned_to_the_place_that_the_network_expects(colour_network: Path) -> None:
    landmarks = np.zeros((68, 2), np.int32)
    landmarks[36:42], landmarks[42:48] = (140, 100), (210, 100)
    landmarks[30], landmarks[48], landmarks[54] = (175, 140), (146, 181), (204, 181)
    placed = five_of_68(landmarks) @ to_template(landmarks)[:, :2].T + to_template(landmarks)[:, 2]
    assert placed == pytest.approx(TEMPLATE, abs=1)
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[:, :, 2] = 255
    red = FaceNetwork(colour_network).embedding(picture, landmarks)
    assert red == pytest.approx(np.array([1, -1, -1]) / np.sqrt(3), abs=0.02)


def test_a_file_that_is_not_a_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    with pytest.raises(BadPreprocessConfig, match="no such file"):
        FaceNetwork(path)
    path.write_bytes(b"not a network")
    with pytest.raises(BadPreprocessConfig, match="does not turn"):
        FaceNetwork(path)


def test_a_list_survives_the_loss_of_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("".join(f"{line}\n" for line in list_lines(["b", "a"])), "utf-8")
    assert read_list(path) == ["a.json", "b.json"]
    assert list_lines([]) == []


@pytest.mark.parametrize("ending", ["ts", "flv", "mpg", "asf"])
def test_other_containers_are_not_taken_for_cut_off_files(tmp_path: Path, ending: str) -> None:
    path = talking_film(
        tmp_path / f"film.{ending}", moving(5, np.full((64, 64, 3), 90, np.uint8)), []
    )
    assert missing_share(path) == 0
