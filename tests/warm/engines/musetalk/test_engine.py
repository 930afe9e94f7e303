"""The neural engine with random weights: its pictures, their placement, and its errors."""

import json
import wave
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, FilmSpec
from stabilizers.blend import paste
from tests.warm.engines.contract import EngineContract, EngineUnderTest, spoken_vowels
from tests.warm.portraits import UPRIGHT, build_portrait, open_build, portrait, rotation_about_face
from tts.registry import VoiceRegistry
from tts.speech import Speech
from warm.avatars.action import Action
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarOutdated
from warm.engines.base import Engine, EngineLost, EngineOutOfMemory, Patch, PatchRequest
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.generator import Generator
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.view import FaceOutOfFrame, Placement, face_views
from warm.media.film_audio import resample
from warm.offline.chunks import chunks_from_audio
from warm.prepare.action.extension import Extension

pytestmark = pytest.mark.slow

POSES = [UPRIGHT, rotation_about_face(12.0), rotation_about_face(-6.0)]
Picture = NDArray[np.uint8]


def options(weights: Path, **chosen: str) -> MuseTalkOptions:
    return MuseTalkOptions(models_dir=weights, device="cpu", precision="fp32", **chosen)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> AvatarBuild:
    build = build_portrait(tmp_path_factory.mktemp("sitter"), portrait(), POSES)
    MuseTalkEngine(options(weights)).prepare(build)
    return build


@pytest.fixture(scope="module")
def avatar(build: AvatarBuild) -> Avatar:
    return open_build(build, "sitter")


@pytest.fixture(scope="module")
def loaded(weights: Path, avatar: Avatar) -> MuseTalkEngine:
    engine = MuseTalkEngine(options(weights))
    engine.load()
    engine.load_avatar(avatar)
    return engine


@pytest.fixture
def fresh(weights: Path, avatar: Avatar) -> MuseTalkEngine:
    """An engine that a test may modify."""
    engine = MuseTalkEngine(options(weights))
    engine.load_avatar(avatar)
    engine.load()
    return engine


@pytest.fixture(scope="module")
def speech(voices: VoiceRegistry) -> Speech:
    choice = voices.choose(voice="espeak-en-us-female", language=None, speed=1.0)
    return next(iter(voices.speak("Hello there, how are you today?", choice)))


@pytest.fixture(scope="module")
def rows(loaded: MuseTalkEngine, speech: Speech) -> NDArray[np.float32]:
    return loaded.encode_speech(speech, frames=30, fps=25)


def patch_requests(avatar: Avatar, rows: NDArray[np.float32]) -> list[PatchRequest]:
    return [
        PatchRequest(avatar, number % len(avatar.frames), row) for number, row in enumerate(rows)
    ]


def composited(avatar: Avatar, frame: int, patch: Patch) -> Picture:
    picture = avatar.frames[frame].copy()
    paste(picture, patch.picture, patch.mask, patch.to_frame)
    return np.asarray(picture, np.uint8)


def test_it_implements_the_engine_interface(loaded: MuseTalkEngine) -> None:
    engine: Engine = loaded
    facts = engine.device_status()
    assert (engine.name, facts["device"], facts["precision"]) == ("musetalk", "cpu", "fp32")
    assert facts["frames_per_second"] > 0
    assert json.dumps(facts)


@pytest.fixture(scope="module")
def under_test(loaded: MuseTalkEngine, avatar: Avatar) -> EngineUnderTest:
    return EngineUnderTest(engine=loaded, avatar=avatar, speech=spoken_vowels())


class TestContract(EngineContract):
    """The contract for the neural engine."""


def test_the_mouth_follows_the_speech_and_the_rest_is_unchanged(
    loaded: MuseTalkEngine, avatar: Avatar, rows: NDArray[np.float32]
) -> None:
    jobs = [PatchRequest(avatar, 0, row) for row in rows[5:8]]
    pictures = [composited(avatar, 0, patch) for patch in loaded.submit(jobs).patches()]
    points = avatar.landmarks[0]
    still = np.ones(avatar.frames.shape[1:3], bool)
    still[int(points[168, 1]) : int(points[152, 1]) + 12] = False
    for picture in pictures:
        assert np.array_equal(picture[still], avatar.frames[0][still])
        x, y = points[13, :2].astype(int)
        assert np.abs(picture[y - 8 : y + 8, x - 15 : x + 15].astype(int) - 128).mean() > 1
        assert not np.array_equal(picture, avatar.frames[0])
    assert not np.array_equal(pictures[0], pictures[2])


def test_it_speaks_on_the_frames_of_an_action_as_on_those_of_the_loop(
    loaded: MuseTalkEngine, avatar: Avatar, rows: NDArray[np.float32], tmp_path: Path
) -> None:
    build = build_portrait(tmp_path, portrait())
    loaded.prepare(build)
    extension = Extension(build)
    part = replace(build, extras={}, turns_deg=np.zeros((1, 2)))
    action = Action(name="wave", start=1, frames=1, digest="0" * 64)
    extension.add(action, part, np.ones(1, np.float32), loaded)
    extended = open_build(build, "extended")
    assert len(extended.extras["musetalk_latents"]) == len(extended.frames) == 2
    loaded.load_avatar(extended)
    jobs = [PatchRequest(extended, frame, rows[3]) for frame in (0, 1)]
    own, further = (
        composited(extended, job.frame, patch)
        for job, patch in zip(jobs, loaded.submit(jobs).patches(), strict=True)
    )
    assert np.abs(own.astype(int) - further).max() <= 1
    loaded.unload_avatar(extended)


def test_one_batch_may_mix_avatars(
    loaded: MuseTalkEngine, avatar: Avatar, rows: NDArray[np.float32], tmp_path: Path
) -> None:
    half = cv2.resize(portrait(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    build = build_portrait(tmp_path, np.asarray(half, np.uint8))
    loaded.prepare(build)
    other = open_build(build, "other")
    loaded.load_avatar(other)
    jobs = [
        PatchRequest(avatar, 1, rows[3]),
        PatchRequest(other, 0, rows[3]),
        PatchRequest(avatar, 2, rows[9]),
    ]
    together = loaded.submit(jobs).patches()
    for job, patch in zip(jobs, together, strict=True):
        (alone,) = loaded.submit([job]).patches()
        assert np.abs(alone.picture.astype(int) - patch.picture).max() <= 1
        assert np.array_equal(alone.mask, patch.mask)
    assert not np.array_equal(together[0].picture, together[1].picture)


@pytest.mark.parametrize("placement", ["stabilized", "reference"])
def test_a_crop_is_pasted_back_in_its_place(
    weights: Path, placement: Placement, tmp_path: Path
) -> None:
    build = build_portrait(tmp_path, portrait(), POSES)
    engine = MuseTalkEngine(options(weights, placement=placement))
    engine.prepare(build)
    avatar = open_build(build, "sitter")
    engine.load_avatar(avatar)
    views = face_views(build, placement, 0)
    for number, view in enumerate(views):
        crop = view.crop(avatar.frames[number])
        back = composited(avatar, number, engine.patch(avatar, number, crop))
        x, y = avatar.landmarks[number, 13, :2].astype(int)
        mouth = np.s_[y - 40 : y + 50, x - 50 : x + 50]
        assert cv2.PSNR(back[mouth], avatar.frames[number][mouth]) > 38


def test_the_stabilized_crop_turns_with_the_head_and_the_reference_crop_does_not(
    build: AvatarBuild,
) -> None:
    steady, own = (face_views(build, placement, 0) for placement in ("stabilized", "reference"))
    assert len({view.box for view in steady}) == 1
    assert len({view.box for view in own}) == 3
    upright, turned = (view.crop(build.frames[n]) for n, view in enumerate(steady[:2]))
    box_interior = np.s_[64:192, 64:192]
    assert cv2.PSNR(upright[box_interior], turned[box_interior]) > 30
    upright, turned = (view.crop(build.frames[n]) for n, view in enumerate(own[:2]))
    assert cv2.PSNR(upright[box_interior], turned[box_interior]) < 22


def test_bbox_shift_moves_the_box_and_a_box_outside_the_frame_is_refused(
    build: AvatarBuild,
) -> None:
    plain, moved = (face_views(build, "reference", shift)[0].box for shift in (0, 7))
    assert (moved.top - plain.top, moved.bottom - plain.bottom) == (14, 0)
    away = replace(build, landmarks=build.landmarks + np.float32(2000))
    with pytest.raises(FaceOutOfFrame, match="frame 0"):
        face_views(away, "reference", 0)


def test_the_mask_covers_the_lips_and_fades_out_at_its_borders(
    loaded: MuseTalkEngine, avatar: Avatar, rows: NDArray[np.float32]
) -> None:
    for frame, patch in enumerate(loaded.submit(patch_requests(avatar, rows[:3])).patches()):
        for edge in (patch.mask[0], patch.mask[:, 0], patch.mask[:, -1]):
            assert edge.max() <= 2
        assert patch.mask[-1].max() < 16
        lips = avatar.landmarks[frame, [13, 14, 61, 291, 17], :2]
        matrix = np.linalg.inv(patch.to_frame[:, :2])
        for x, y in np.round((lips - patch.to_frame[:, 2]) @ matrix.T).astype(int):
            assert patch.mask[y, x] > 240


def test_short_and_silent_sentences_are_encoded(loaded: MuseTalkEngine) -> None:
    silent = np.zeros(8000, np.float32)
    for samples, rate_hz, frames in (
        (silent, 8000, 25),
        (silent[:100], 22_050, 1),
        (silent[:0], 16_000, 3),
        (silent, 44_100, 5),
    ):
        speech = Speech("", samples, rate_hz, None)
        actual = loaded.encode_speech(speech, frames=frames, fps=25)
        assert actual.shape == (frames, *loaded.encode_speech(speech, frames=1, fps=25).shape[1:])
        assert np.isfinite(actual).all()


def test_a_sound_file_in_chunks_is_encoded_as_a_whole(
    loaded: MuseTalkEngine, speech: Speech, tmp_path: Path
) -> None:
    """Catches chunks that are not aligned with Whisper's segments of the file."""
    conditions_for = resample(speech.samples, speech.sample_rate_hz)
    sound = np.tile(conditions_for, 65 * SAMPLE_RATE_HZ // len(conditions_for) + 1)[
        : 65 * SAMPLE_RATE_HZ
    ]
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    spec = FilmSpec(width=16, height=16, fps=25)
    parts = np.concatenate([p.features for p in chunks_from_audio(path, loaded, spec)])
    whole = loaded.encode_speech(Speech("", sound, SAMPLE_RATE_HZ, None), frames=65 * 25, fps=25)
    assert parts.shape == whole.shape
    assert np.abs(parts - whole).max() < 0.01 * np.abs(whole).max()


def test_batches_are_halved_on_out_of_memory(
    fresh: MuseTalkEngine,
    loaded: MuseTalkEngine,
    avatar: Avatar,
    rows: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs, asked = patch_requests(avatar, rows[:7]), []
    limit_memory(fresh, monkeypatch, 2, asked)
    actual = fresh.submit(jobs).patches()
    whole = loaded.submit(jobs).patches()
    assert asked == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert fresh.largest_batch == 1
    for one, other in zip(actual, whole, strict=True):
        assert np.abs(one.picture.astype(int) - other.picture).max() <= 1


def test_a_single_frame_that_does_not_fit_is_refused_and_the_engine_continues(
    fresh: MuseTalkEngine,
    avatar: Avatar,
    rows: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as full:
        limit_memory(fresh, full, 0, [])
        with pytest.raises(EngineOutOfMemory, match="memory"):
            fresh.submit(patch_requests(avatar, rows[:4]))
    assert len(fresh.submit(patch_requests(avatar, rows[:4])).patches()) == 4


def test_networks_that_leave_no_memory_for_a_frame_are_refused_while_loading(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Generator, "generate", fail)
    with pytest.raises(EngineOutOfMemory, match="one frame"):
        MuseTalkEngine(options(weights)).load()


def limit_memory(
    engine: MuseTalkEngine, monkeypatch: pytest.MonkeyPatch, most: int, asked: list[int]
) -> None:
    """Limit the device's memory to `most` frames; append each batch size to `asked`."""
    generator = engine.pipeline.generator
    generate = generator.generate

    def limited(latents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        asked.append(len(latents))
        if len(latents) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return generate(latents, tokens)

    monkeypatch.setattr(generator, "generate", limited)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (torch.AcceleratorError("CUDA error: unspecified launch failure"), EngineLost),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), EngineLost),
        (RuntimeError("shapes do not match"), RuntimeError),
    ],
)
def test_a_lost_gpu_is_distinguished_from_a_bug(
    fresh: MuseTalkEngine,
    avatar: Avatar,
    rows: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    expected: type[Exception],
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(fresh.pipeline.generator, "generate", fail)
    with pytest.raises(expected) as caught:
        fresh.submit(patch_requests(avatar, rows[:1]))
    assert type(caught.value) is expected


def test_a_reloaded_engine_draws_the_same_pictures(
    fresh: MuseTalkEngine, avatar: Avatar, rows: NDArray[np.float32]
) -> None:
    jobs = patch_requests(avatar, rows[:2])
    before = fresh.submit(jobs).patches()
    fresh.unload()
    assert fresh.device_status()["device"] == "cpu"
    with pytest.raises(RuntimeError, match="not loaded"):
        fresh.submit(jobs)
    fresh.load()
    for one, other in zip(fresh.submit(jobs).patches(), before, strict=True):
        assert np.array_equal(one.picture, other.picture)


def test_unloading_an_avatar_keeps_another_of_the_same_source(
    fresh: MuseTalkEngine, avatar: Avatar, rows: NDArray[np.float32]
) -> None:
    """Catches avatars that are identified only by the digest of their source."""
    twin = replace(avatar, id="twin")
    fresh.load_avatar(twin)
    fresh.unload_avatar(twin)
    fresh.unload_avatar(twin)
    assert len(fresh.submit(patch_requests(avatar, rows[:1])).patches()) == 1
    with pytest.raises(KeyError):
        fresh.submit(patch_requests(twin, rows[:1]))


def test_an_avatar_of_another_engine_or_other_settings_is_refused_with_a_remedy(
    avatar: Avatar, weights: Path, loaded: MuseTalkEngine
) -> None:
    with pytest.raises(AvatarOutdated, match=r"python -m warm prepare .* --avatar-id sitter"):
        loaded.load_avatar(replace(avatar, extras={}))
    with pytest.raises(AvatarOutdated, match="placement is 'stabilized', now it is 'reference'"):
        MuseTalkEngine(options(weights, placement="reference")).load_avatar(avatar)
    actual = json.loads(str(avatar.extras["musetalk_recipe"]))
    recipe = np.array(json.dumps({**actual, "vae": "0" * 64}))
    with pytest.raises(AvatarOutdated, match="vae"):
        loaded.load_avatar(replace(avatar, extras={**avatar.extras, "musetalk_recipe": recipe}))
