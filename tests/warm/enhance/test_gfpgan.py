"""GFPGAN as a restorer: levels of colour, order of channels, batches, out of memory."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.warm.enhance.tiny_network import TINY, tiny_network, tiny_tensors
from warm.engines.musetalk.device import choose_device
from warm.engines.musetalk.errors import DeviceOutOfMemory
from warm.enhance.errors import BadCrops, RestorerFailed, RestorerUnavailable
from warm.enhance.gfpgan import GfpganRestorer, open_gfpgan, to_network, to_pixels
from warm.enhance.network.network import GfpganNetwork
from warm.enhance.restorer import FaceRestorer

CPU = torch.device("cpu")


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def restorer() -> GfpganRestorer:
    return GfpganRestorer(tiny_network(), choose_device("cpu", "fp32"))


def test_a_checkpoint_becomes_a_restorer(tmp_path: Path, restorer: GfpganRestorer) -> None:
    path = tmp_path / "GFPGANv1.4.pth"
    torch.save({"params_ema": tiny_tensors()}, path)
    opened: FaceRestorer = open_gfpgan(path, device="cpu", config=TINY)
    assert (opened.name, opened.size) == ("gfpgan", 32)
    assert np.array_equal(opened.restore(crops(2)), restorer.restore(crops(2)))


def test_the_digest_of_the_weights_depends_on_every_tensor(restorer: GfpganRestorer) -> None:
    same, other = tiny_network(), tiny_network()
    with torch.no_grad():
        other.stylegan_decoder.noise(6)[0, 0, 3, 3] += 1
    one, two = (GfpganRestorer(each, choose_device("cpu", "fp32")) for each in (same, other))
    assert one.weights_digest == restorer.weights_digest != two.weights_digest


def test_faces_are_what_the_network_draws_from_red_green_blue_in_reverse(
    restorer: GfpganRestorer,
) -> None:
    given = crops(1)
    rgb = torch.from_numpy(given[0, :, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255)
    with torch.inference_mode():
        drawn, _ = tiny_network()((rgb[None] - 0.5) / 0.5)
    levels = (drawn[0].clamp(-1, 1).double().numpy() + 1) / 2 * 255
    restored = restorer.restore(given)[0].astype(np.float64)
    assert np.abs(restored[:, :, ::-1] - levels.transpose(1, 2, 0)).max() <= 0.51


def test_levels_are_rounded_and_not_cut_off() -> None:
    picture = (torch.arange(256).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1) / 127.5) - 1
    for offset in (-0.4, 0.0, 0.4):
        assert np.array_equal(
            to_pixels(picture + offset / 127.5)[0, :, :, 0].ravel(), np.arange(256)
        )


def test_values_beyond_the_range_are_clamped() -> None:
    picture = torch.tensor([-7.0, -1.01, 1.01, 30.0]).reshape(1, 1, 2, 2).repeat(1, 3, 1, 1)
    assert to_pixels(picture)[0, :, :, 1].ravel().tolist() == [0, 0, 255, 255]


def test_levels_survive_the_way_to_the_network_and_back() -> None:
    given = crops(3)
    there = to_network(given, CPU)
    assert there.shape == (3, 3, 32, 32)
    assert there.min() >= -1 and there.max() <= 1
    assert np.array_equal(to_pixels(there), given)


def test_the_same_crop_gives_the_same_face_alone_in_a_batch_and_again(
    restorer: GfpganRestorer,
) -> None:
    given = crops(3)
    untouched = given.copy()
    together = restorer.restore(given)
    assert np.array_equal(together, restorer.restore(given))
    assert np.array_equal(together, np.concatenate([restorer.restore(c[None]) for c in given]))
    assert np.array_equal(given, untouched)


def test_no_crops_give_no_faces(restorer: GfpganRestorer) -> None:
    assert restorer.restore(crops(0)).shape == (0, 32, 32, 3)


def test_a_view_of_other_memory_is_restored_like_its_copy(restorer: GfpganRestorer) -> None:
    view = crops(2)[:, ::-1, :, ::-1]
    assert np.array_equal(restorer.restore(view), restorer.restore(view.copy()))


def test_crops_of_another_size_are_refused(restorer: GfpganRestorer) -> None:
    with pytest.raises(BadCrops, match=r"expected \(n, 32, 32, 3\)"):
        restorer.restore(np.zeros((1, 64, 64, 3), np.uint8))


def test_a_missing_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RestorerUnavailable, match=r"cuda:99.*--method sharpen"):
        open_gfpgan(tmp_path / "unread.pth", device="cuda:99", config=TINY)


class CrowdedNetwork(GfpganNetwork):
    """A network on a device with memory for `room` crops."""

    def __init__(self, room: int) -> None:
        super().__init__(TINY)
        self.room = room
        self.batches: list[int] = []

    def forward(self, picture: Tensor, *, with_heads: bool = False) -> tuple[Tensor, list[Tensor]]:
        assert not with_heads
        if len(picture) > self.room:
            raise DeviceOutOfMemory("out of memory")
        self.batches.append(len(picture))
        return picture, []


def crowded(room: int, batch: int) -> tuple[GfpganRestorer, CrowdedNetwork]:
    network = CrowdedNetwork(room)
    restorer = GfpganRestorer(network, choose_device("cpu", "fp32"))
    restorer._batch = batch
    return restorer, network


def test_without_memory_for_a_batch_smaller_ones_are_tried_and_kept() -> None:
    restorer, network = crowded(room=2, batch=8)
    given = crops(5)
    assert np.array_equal(restorer.restore(given), given)
    assert np.array_equal(restorer.restore(given), given)
    assert network.batches == [2, 2, 1, 2, 2, 1]


def test_without_memory_for_one_crop_the_error_names_the_remedy() -> None:
    restorer, _ = crowded(room=0, batch=8)
    with pytest.raises(RestorerFailed, match=r"cpu has too little memory for one face.*device"):
        restorer.restore(crops(1))


def test_a_device_that_fails_is_reported_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    restorer, network = crowded(room=8, batch=8)

    def fail(_picture: Tensor) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(network, "forward", fail)
    with pytest.raises(RestorerFailed, match=r"illegal memory access.*set device to cpu"):
        restorer.restore(crops(1))
