"""Batch sizes for a memory budget, on a simulated device."""

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

pytestmark = pytest.mark.slow

GB = 1_000_000_000
NETWORKS, PER_BATCH, PER_FRAME = 2 * GB, GB // 2, GB // 4
MEMORY_USE = MemoryUse(networks=NETWORKS, per_batch=PER_BATCH, per_frame=PER_FRAME)


class CountedMemory:
    """A device of 8 GB: the networks use 2, each batch a half, each of its frames a quarter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int = 6 * GB) -> None:
        self.free_bytes = free
        self.limited: list[int] = []
        self.most = 0
        generate = Generator.generate

        def counted(
            generator: Generator, latents: torch.Tensor, tokens: torch.Tensor
        ) -> torch.Tensor:
            taken = PER_BATCH + PER_FRAME * len(latents)
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


def test_two_batches_measure_the_memory_of_a_frame_and_of_a_batch() -> None:
    class Device:
        size = 0

        def allocated(self) -> int:
            return NETWORKS + 300

        def free(self) -> int:
            return 6 * GB

        def reserved(self) -> int:
            raise AssertionError("no graph is captured here")

        def peak_during(self, act: Callable[[], object]) -> int:
            act()
            return self.allocated() + PER_BATCH + PER_FRAME * self.size

        def set_limit(self, size: int) -> None:
            raise AssertionError(size)

    device = Device()
    found = measure_memory(device, lambda size: setattr(device, "size", size), avatar_bytes=300)
    assert found == MEMORY_USE


@pytest.mark.parametrize(
    ("budget_gb", "avatar_bytes", "frames"),
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
def test_the_largest_batch_that_fits_into_the_budget_is_found(
    budget_gb: float, avatar_bytes: int, frames: int
) -> None:
    assert MEMORY_USE.max_batch(int(budget_gb * GB), avatar_bytes, limit=25) == frames


def test_the_minimum_is_enough_for_exactly_one_frame() -> None:
    assert MEMORY_USE.max_batch(MEMORY_USE.minimum(0), 0, limit=25) == 1
    assert MEMORY_USE.max_batch(MEMORY_USE.minimum(0) - 1000, 0, limit=25) == 0


def test_without_memory_per_frame_every_batch_size_fits() -> None:
    flat = replace(MEMORY_USE, per_frame=0.0)
    assert flat.max_batch(3 * GB, 0, limit=25) == 25
    assert flat.max_batch(GB, 0, limit=25) == 0


def test_the_budget_is_the_setting_or_the_available_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = CountedMemory(monkeypatch)
    assert memory_budget(memory, None) == 8 * GB
    assert memory_budget(memory, 5.0) == 5 * GB
    assert memory_budget(memory, 80.0) == 8 * GB


def test_loading_fits_the_batch_size_to_the_budget_and_reports_it(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = CountedMemory(monkeypatch)
    engine = MuseTalkEngine(options(weights, 4.0), memory)
    engine.load_avatar(avatar)
    engine.load()
    facts = engine.device_status()
    avatar_bytes = 2 * 8 * 32 * 32 * 4
    assert memory.limited == [4 * GB]
    assert facts["memory_budget_gb"] == 4.0
    assert facts["networks_gb"] == pytest.approx((NETWORKS - avatar_bytes) / GB, abs=0.001)
    assert (facts["pass_gb"], facts["frame_gb"]) == (0.5, 0.25)
    monkeypatch.setattr(engine, "_cpu_fps", None)
    assert engine.largest_batch == 4
    memory.most = 0
    assert len(engine.submit(patch_requests(engine, avatar, 11)).patches()) == 11
    assert memory.most == PER_BATCH + 4 * PER_FRAME


def patch_requests(engine: MuseTalkEngine, avatar: Avatar, count: int) -> list[PatchRequest]:
    row: NDArray[np.float32] = np.zeros(engine.pipeline.audio_encoder.tokens_shape, np.float32)
    return [PatchRequest(avatar, number % 2, row) for number in range(count)]


class SimulatedBackend:
    """Captures by running; the simulated memory defines the memory used."""

    def warm_up(self, work: Work) -> None:
        pass

    def capture(self, work: Work) -> CapturedBatch:
        pictures = work()
        return CapturedBatch(lambda: None, pictures)

    def abort(self) -> None:
        raise AssertionError("nothing fails here")


@pytest.mark.parametrize(("recorded_gb", "has_room"), [(1, True), (1.5, True), (1.95, False)])
def test_graphs_count_as_memory_and_are_dropped_if_they_leave_none_for_a_frame(
    weights: Path, monkeypatch: pytest.MonkeyPatch, recorded_gb: float, has_room: bool
) -> None:
    """Catches avatars that are accepted into memory that graphs own."""
    memory = CountedMemory(monkeypatch)
    engine = MuseTalkEngine(options(weights, 4.0), memory)
    engine.load()
    monkeypatch.setattr(engine, "_cpu_fps", None)
    pipeline, reserved = engine.pipeline, iter([NETWORKS, NETWORKS + int(recorded_gb * GB)])
    monkeypatch.setattr(memory, "reserved", lambda: next(reserved))
    monkeypatch.setattr(
        pipeline,
        "capture_graphs",
        lambda most: pipeline.graphs.capture([3], *pipeline.blank_batch(most), SimulatedBackend()),
    )
    capture_graphs(pipeline, engine._limit)
    facts = engine.device_status()
    assert facts["recorded_gb"] == (recorded_gb if has_room else 0)
    assert facts["cuda_graphs"] == ([3] if has_room else [])
    assert (facts["cuda_graphs_fault"] is None) == has_room
    assert engine.largest_batch == (3 if has_room else 4)
    assert [engine.round_up_batch(count) for count in (1, 3)] == ([3, 3] if has_room else [1, 3])
    twin = LargeLatents(np.zeros(0, np.float32), int((3.88 - 2 - recorded_gb) * GB))
    engine._avatars._latents["other", ""] = twin  # type: ignore[assignment]
    if has_room:
        assert engine._limit.frames == 3
        twin.nbytes += GB // 100
        assert engine._limit.frames == 0


def test_a_budget_too_small_for_one_frame_is_refused_with_the_minimum(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MuseTalkEngine(options(weights, 3.0), CountedMemory(monkeypatch))
    with pytest.raises(
        EngineOutOfMemory, match=r"3\.056 GB; 3\.0 GB may be used \(max_vram_gb = 3\.0\)"
    ):
        engine.load()
    with pytest.raises(RuntimeError, match="not loaded"):
        _ = engine.pipeline


def test_avatars_count_as_memory_and_one_that_leaves_none_is_refused(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches avatars that use the memory that the next batch needs."""
    engine = MuseTalkEngine(options(weights, 4.0), CountedMemory(monkeypatch))
    engine.load()
    latents = np.broadcast_to(np.float32(0), (2, 8, 32, 32))
    monkeypatch.setattr(
        engine.pipeline, "prepare_latents", lambda _: LargeLatents(latents, 6 * GB // 10)
    )
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


class LargeLatents:
    """Latents that report more memory than they use."""

    def __init__(self, latents: NDArray[np.float32], nbytes: int) -> None:
        self.latents, self.nbytes = latents, nbytes


def test_a_device_too_full_to_be_measured_draws_as_many_frames_as_fit(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MuseTalkEngine(options(weights), CountedMemory(monkeypatch, PER_BATCH + 2 * PER_FRAME))
    engine.load_avatar(avatar)
    engine.load()
    assert engine.device_status()["memory_budget_gb"] is None
    assert len(engine.submit(patch_requests(engine, avatar, 7)).patches()) == 7


def test_an_avatar_loaded_while_the_networks_load_is_there_afterwards(
    weights: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a load that loses an avatar added between the upload of avatars and its end."""
    engine = MuseTalkEngine(options(weights))
    warm_up = engine._warm_up

    def late(pipeline: object) -> None:
        engine.load_avatar(avatar)
        warm_up(pipeline)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_warm_up", late)
    engine.load()
    assert len(engine.submit(patch_requests(engine, avatar, 1)).patches()) == 1
