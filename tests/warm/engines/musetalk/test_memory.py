"""How large passes are for a budget of memory; the device is one that counts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.warm.portraits import UPRIGHT, build_portrait, open_build, portrait, rotation_about_face
from warm.avatars.avatar import Avatar
from warm.engines.base import EngineOutOfMemory, PatchRequest
from warm.engines.musetalk.acceleration.cuda_graphs import CapturedBatch, Work
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.generator import Generator
from warm.engines.musetalk.memory import MemoryUse, measure_memory, memory_budget
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.warm_up import capture_graphs

GB = 1_000_000_000
NETWORKS, A_PASS, A_FRAME = 2 * GB, GB // 2, GB // 4
NEEDS = MemoryUse(networks=NETWORKS, per_batch=A_PASS, per_frame=A_FRAME)


class CountedMemory:
    """Of 8 GB, in which the networks take 2 and each frame of a pass a quarter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int = 6 * GB) -> None:
        self.free_bytes = free
        self.limited: list[int] = []
        self.most = 0
        generate = Generator.generate

        def counted(
            generator: Generator, latents: torch.Tensor, tokens: torch.Tensor
        ) -> torch.Tensor:
            taken = A_PASS + A_FRAME * len(latents)
            if taken > self.free_bytes:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.most = max(self.most, taken)
            return generate(generator, latents, tokens)

        monkeypatch.setattr(Generator, "generate", counted)

    def allocated(self) -> int:
        return NETWORKS

    def free(self) -> int:
        return self.free_bytes

    def reserved(self) -> int:
        return NETWORKS

    def peak_during(self, act: Callable[[], object]) -> int:
        self.most = 0
        act()
        return NETWORKS + self.most

    def set_limit(self, size: int) -> None:
        self.limited.append(size)


@pytest.fixture(scope="module")
def avatar(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    build = build_portrait(
        tmp_path_factory.mktemp("sitter"), portrait(), [UPRIGHT, rotation_about_face(5.0)]
    )
    MuseTalkEngine(options(weights)).prepare(build)
    return open_build(build, "sitter")


def options(weights: Path, max_vram_gb: float | None = None) -> MuseTalkOptions:
    return MuseTalkOptions(
        models_dir=weights, device="cpu", precision="fp32", max_vram_gb=max_vram_gb
    )


def test_two_passes_tell_what_a_frame_and_what_a_pass_take() -> None:
    class Device:
        size = 0

        def allocated(self) -> int:
            return NETWORKS + 300

        def free(self) -> int:
            return 6 * GB

        def reserved(self) -> int:
            raise AssertionError("nothing is recorded here")

        def peak_during(self, act: Callable[[], object]) -> int:
            act()
            return self.allocated() + A_PASS + A_FRAME * self.size

        def set_limit(self, size: int) -> None:
            raise AssertionError(size)

    device = Device()
    found = measure_memory(device, lambda size: setattr(device, "size", size), avatar_bytes=300)
    assert found == NEEDS


@pytest.mark.parametrize(
    ("budget_gb", "kept", "frames"),
    [
        (8, 0, 18),
        (100, 0, 25),
        (4, 0, 4),
        (4, GB // 2, 2),
        (3.1, 0, 1),
        (3.0, 0, 0),
        (1, 0, 0),
    ],
)
def test_a_budget_is_divided(budget_gb: float, kept: int, frames: int) -> None:
    assert NEEDS.max_batch(int(budget_gb * GB), kept, limit=25) == frames


def test_what_one_frame_needs_is_enough_for_just_one() -> None:
    assert NEEDS.max_batch(NEEDS.minimum(0), 0, limit=25) == 1
    assert NEEDS.max_batch(NEEDS.minimum(0) - 1000, 0, limit=25) == 0


def test_a_pass_that_takes_nothing_more_for_a_frame_has_room_for_all() -> None:
    flat = replace(NEEDS, per_frame=0.0)
    assert flat.max_batch(3 * GB, 0, limit=25) == 25
    assert flat.max_batch(GB, 0, limit=25) == 0


def test_the_budget_is_what_is_free_or_less(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = CountedMemory(monkeypatch)
    assert memory_budget(memory, None) == 8 * GB
    assert memory_budget(memory, 5.0) == 5 * GB
    assert memory_budget(memory, 80.0) == 8 * GB


def test_loading_fits_the_passes_to_the_budget_and_tells_it(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = CountedMemory(monkeypatch)
    engine = MuseTalkEngine(options(weights, 4.0), memory)
    engine.load_avatar(avatar)
    engine.load()
    facts = engine.device_status()
    kept = 2 * 8 * 32 * 32 * 4
    assert memory.limited == [4 * GB]
    assert facts["memory_budget_gb"] == 4.0
    assert facts["networks_gb"] == pytest.approx((NETWORKS - kept) / GB, abs=0.001)
    assert (facts["pass_gb"], facts["frame_gb"]) == (0.5, 0.25)
    monkeypatch.setattr(engine, "_cpu_fps", None)
    assert engine.largest_batch == 4
    memory.most = 0
    assert len(engine.submit(jobs(engine, avatar, 11)).patches()) == 11
    assert memory.most == A_PASS + 4 * A_FRAME


def jobs(engine: MuseTalkEngine, avatar: Avatar, count: int) -> list[PatchRequest]:
    row: NDArray[np.float32] = np.zeros(engine.pipeline.audio_encoder.tokens_shape, np.float32)
    return [PatchRequest(avatar, number % 2, row) for number in range(count)]


class GraphBackend:
    """Records by doing; what that takes, the memory says."""

    def warm_up(self, work: Work) -> None:
        pass

    def capture(self, work: Work) -> CapturedBatch:
        pictures = work()
        return CapturedBatch(lambda: None, pictures)

    def abort(self) -> None:
        raise AssertionError("nothing fails here")


@pytest.mark.parametrize(("recorded_gb", "fits"), [(1, True), (1.5, True), (1.95, False)])
def test_the_memory_of_recorded_passes_counts_and_they_are_given_up_where_it_leaves_no_room(
    weights: Path, monkeypatch: pytest.MonkeyPatch, recorded_gb: float, fits: bool
) -> None:
    """Would miss avatars that are let in to memory which recordings have for themselves."""
    memory = CountedMemory(monkeypatch)
    engine = MuseTalkEngine(options(weights, 4.0), memory)
    engine.load()
    monkeypatch.setattr(engine, "_cpu_fps", None)
    pipeline, reserved = engine.pipeline, iter([NETWORKS, NETWORKS + int(recorded_gb * GB)])
    monkeypatch.setattr(memory, "reserved", lambda: next(reserved))
    monkeypatch.setattr(
        pipeline,
        "capture_graphs",
        lambda most: pipeline.graphs.capture([3], *pipeline.blank_batch(most), GraphBackend()),
    )
    capture_graphs(pipeline, engine._limit)
    facts = engine.device_status()
    assert facts["recorded_gb"] == (recorded_gb if fits else 0)
    assert facts["cuda_graphs"] == ([3] if fits else [])
    assert (facts["cuda_graphs_fault"] is None) == fits
    assert engine.largest_batch == (3 if fits else 4)
    assert [engine.round_up_batch(count) for count in (1, 3)] == ([3, 3] if fits else [1, 3])
    twin = Large(np.zeros(0, np.float32), int((3.88 - 2 - recorded_gb) * GB))
    engine._avatars._latents["other", ""] = twin  # type: ignore[assignment]
    if fits:
        assert engine._limit.frames == 3
        twin.nbytes += GB // 100
        assert engine._limit.frames == 0


def test_a_budget_that_does_not_do_for_one_frame_is_told_with_what_would(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MuseTalkEngine(options(weights, 3.0), CountedMemory(monkeypatch))
    with pytest.raises(
        EngineOutOfMemory, match=r"3\.056 GB; 3\.0 GB may be used \(max_vram_gb = 3\.0\)"
    ):
        engine.load()
    with pytest.raises(RuntimeError, match="not loaded"):
        _ = engine.pipeline


def test_avatars_count_and_one_that_leaves_no_room_is_refused(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would miss avatars that take the memory which the next pass needs."""
    engine = MuseTalkEngine(options(weights, 4.0), CountedMemory(monkeypatch))
    engine.load()
    latents = np.broadcast_to(np.float32(0), (2, 8, 32, 32))
    monkeypatch.setattr(engine.pipeline, "prepare_latents", lambda _: Large(latents, 6 * GB // 10))
    engine.load_avatar(avatar)
    monkeypatch.setattr(engine, "_cpu_fps", None)
    assert engine.largest_batch == 2
    twin = replace(avatar, id="twin")
    with pytest.raises(EngineOutOfMemory, match="'twin'"):
        engine.load_avatar(twin)
    assert engine.largest_batch == 2
    engine.unload_avatar(avatar)
    assert engine.largest_batch == 4
    engine.load_avatar(twin)


class Large:
    """Latents that say they take more memory than they do."""

    def __init__(self, latents: NDArray[np.float32], nbytes: int) -> None:
        self.latents, self.nbytes = latents, nbytes


def test_a_device_too_full_to_be_measured_draws_as_much_as_fits(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MuseTalkEngine(options(weights), CountedMemory(monkeypatch, A_PASS + 2 * A_FRAME))
    engine.load_avatar(avatar)
    engine.load()
    assert engine.device_status()["memory_budget_gb"] is None
    assert len(engine.submit(jobs(engine, avatar, 7)).patches()) == 7


def test_an_avatar_adopted_while_the_networks_load_is_there_afterwards(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would miss one that comes between the first look at the avatars and the end of the load."""
    engine = MuseTalkEngine(options(weights))
    warm_up = engine._warm_up

    def late(pipeline: object) -> None:
        engine.load_avatar(avatar)
        warm_up(pipeline)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_warm_up", late)
    engine.load()
    assert len(engine.submit(jobs(engine, avatar, 1)).patches()) == 1
