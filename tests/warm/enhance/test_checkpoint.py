"""Checkpoints of GFPGAN: the published form is loaded; refusals name the problem."""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.warm.enhance.tiny_network import TINY, tiny_network, tiny_tensors
from warm.engines.weights.errors import WeightsDamaged
from warm.enhance import checkpoint
from warm.enhance.checkpoint import load_network, read_checkpoint
from warm.enhance.errors import WrongCheckpoint
from warm.enhance.network.network import GfpganNetwork

STYLE_LAYER = "stylegan_decoder.style_mlp.15.weight"
NOISE = "stylegan_decoder.noises.noise6"


@pytest.fixture
def save(tmp_path: Path) -> Callable[[object], Path]:
    def write(content: object) -> Path:
        path = tmp_path / "GFPGANv1.4.pth"
        torch.save(content, path)
        return path

    return write


Save = Callable[[object], Path]


def picture_of(network: GfpganNetwork) -> Tensor:
    with torch.inference_mode():
        restored, _ = network(torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32))
    return restored


def assert_alike(network: GfpganNetwork, expected: GfpganNetwork) -> None:
    """Same tensors; the pictures may differ by the rounding of another order of sums."""
    own = network.state_dict()
    for name, value in expected.state_dict().items():
        assert torch.equal(own[name], value), name
    torch.testing.assert_close(picture_of(network), picture_of(expected), rtol=0, atol=1e-5)


def test_a_file_of_the_published_form_draws_as_its_tensors_do(save: Save) -> None:
    path = save({"params_ema": OrderedDict(tiny_tensors(seed=3))})
    network = load_network(path, TINY)
    assert_alike(network, tiny_network(seed=3))
    assert not any(value.requires_grad for value in network.parameters())


def test_the_averaged_tensors_are_used_where_a_file_has_both(save: Save) -> None:
    path = save({"params": tiny_tensors(seed=4), "params_ema": tiny_tensors(seed=5)})
    assert_alike(load_network(path, TINY), tiny_network(seed=5))


def test_a_file_without_averaged_tensors_is_used_with_the_others(save: Save) -> None:
    path = save({"params": tiny_tensors(seed=4), "iter": 7})
    assert_alike(load_network(path, TINY), tiny_network(seed=4))


def test_tensors_that_were_saved_as_parameters_are_read_too(save: Save) -> None:
    tensors = {name: torch.nn.Parameter(value) for name, value in tiny_tensors().items()}
    network = load_network(save({"params_ema": tensors}), TINY)
    assert_alike(network, tiny_network())


def test_the_old_format_of_torch_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({"params_ema": tiny_tensors()}, path, _use_new_zipfile_serialization=False)
    assert_alike(load_network(path, TINY), tiny_network())


def test_a_safetensors_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "GFPGANv1.4.safetensors"
    save_file(tiny_tensors(), path)
    assert_alike(load_network(path, TINY), tiny_network())


@pytest.mark.parametrize("name", [STYLE_LAYER, NOISE, "toRGB.0.bias", "conv_body_first.weight"])
def test_a_missing_tensor_is_named_even_if_it_is_never_used(save: Save, name: str) -> None:
    tensors = tiny_tensors()
    del tensors[name]
    with pytest.raises(WrongCheckpoint, match=f"1 missing: {name}\\."):
        load_network(save({"params_ema": tensors}), TINY)


def test_an_unexpected_tensor_is_named(save: Save) -> None:
    tensors = tiny_tensors() | {"conv_body_first.gain": torch.ones(1)}
    with pytest.raises(WrongCheckpoint, match=r"1 unexpected: conv_body_first\.gain"):
        load_network(save({"params_ema": tensors}), TINY)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(save: Save) -> None:
    tensors = tiny_tensors() | {STYLE_LAYER: torch.zeros(16, 8)}
    with pytest.raises(WrongCheckpoint, match=rf"{STYLE_LAYER} is \(16, 8\), expected \(16, 16\)"):
        load_network(save({"params_ema": tensors}), TINY)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_tensors_of_another_type_are_counted_and_named(save: Save, kind: torch.dtype) -> None:
    tensors = {name: value.to(kind) for name, value in tiny_tensors().items()}
    expected = rf"{len(tensors)} of another type: conv_body_first.weight is \w+, expected float32"
    with pytest.raises(WrongCheckpoint, match=expected):
        load_network(save({"params_ema": tensors}), TINY)


def test_a_sparse_tensor_is_refused(save: Save) -> None:
    tensors = tiny_tensors()
    tensors[STYLE_LAYER] = tensors[STYLE_LAYER].to_sparse()
    with pytest.raises(WrongCheckpoint, match="sparse"):
        load_network(save({"params_ema": tensors}), TINY)


def test_a_tensor_without_values_is_refused(save: Save) -> None:
    tensors = tiny_tensors() | {STYLE_LAYER: torch.zeros(16, 16, device="meta")}
    with pytest.raises(WrongCheckpoint, match="no table params_ema or params of tensors"):
        load_network(save({"params_ema": tensors}), TINY)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_reported(save: Save, value: float) -> None:
    tensors = tiny_tensors()
    tensors[NOISE][0, 0, 3, 3] = value
    with pytest.raises(WeightsDamaged, match=f"not finite numbers: {NOISE}"):
        load_network(save({"params_ema": tensors}), TINY)


@pytest.mark.parametrize(
    ("names", "network"),
    [
        (["conv_body_first.0.weight", "conv_body_first.1.bias"], "GFPGAN v1, which is not"),
        (["stylegan_decoder.style_conv1.activate.bias"], "GFPGAN v1, which is not"),
        (["fuse_convs_dict.32.scale.0.weight", "quantize.embedding.weight"], "CodeFormer"),
        (["ft_layers.0.self_attn.in_proj_weight", "quantize.embedding.weight"], "CodeFormer"),
        (["vqvae.quantize.embedding.weight", "vqvae.encoder.conv_in.weight"], "RestoreFormer"),
        (["body.0.rdb1.conv1.weight", "conv_first.weight"], "Real-ESRGAN"),
        (["module.ClassHead.0.conv1x1.weight"], "the face detector RetinaFace"),
        (["module.condition_scale.0.0.weight"], "an incomplete GFPGAN"),
    ],
)
@pytest.mark.parametrize("table", ["params_ema", "state_dict", None])
def test_other_networks_are_recognised(
    save: Save, names: list[str], network: str, table: str | None
) -> None:
    tensors = {name: torch.ones(2, 2) for name in names}
    with pytest.raises(WrongCheckpoint, match=f"It looks like {network}"):
        load_network(save(tensors if table is None else {table: tensors}), TINY)


def test_a_network_of_another_size_is_recognised(save: Save) -> None:
    with pytest.raises(WrongCheckpoint, match="or one of another size"):
        load_network(save({"params_ema": tiny_tensors()}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(2)], "a list"),
        (torch.ones(2), "a Tensor"),
        ({}, "an empty table"),
        ({"epoch": 3, "params": None}, "the entries 'epoch', 'params'"),
        ({"params_ema": {"a": 1}}, "the entries 'params_ema'"),
        ({"params_ema": {1: torch.ones(2)}}, "the entries 'params_ema'"),
    ],
)
def test_content_without_tensors_is_described(save: Save, content: object, words: str) -> None:
    with pytest.raises(WrongCheckpoint, match=f"It contains {words}"):
        load_network(save(content), TINY)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "run")


def test_a_pickle_that_runs_code_is_refused_and_not_run(save: Save, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    path = save({"params_ema": tiny_tensors(), "config": Bomb(mark)})
    with pytest.raises(WeightsDamaged, match="more than tensors and was not loaded"):
        load_network(path, TINY)
    assert not mark.exists()


def test_a_plain_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "plain.pth", tmp_path / "run"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(WeightsDamaged, match="not a PyTorch file"):
        load_network(path, TINY)
    assert not mark.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(save: Save, share: float) -> None:
    path = save({"params_ema": tiny_tensors()})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsDamaged, match="models download --enhance"):
        load_network(path, TINY)


def test_a_damaged_index_is_refused(save: Save) -> None:
    path = save({"params_ema": tiny_tensors()})
    rewritten = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(rewritten, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, content[:90] if member.endswith("data.pkl") else content)
    path.write_bytes(rewritten.getvalue())
    with pytest.raises(WeightsDamaged, match=str(path)):
        load_network(path, TINY)


@pytest.mark.parametrize(("offset", "byte"), [(6, 0xF0), (46, 0xDB)])
def test_a_damaged_directory_is_refused(save: Save, offset: int, byte: int) -> None:
    path = save({"params_ema": tiny_tensors()})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = byte  # the version, the first name
    path.write_bytes(content)
    with pytest.raises(WeightsDamaged, match="damaged directory at its end"):
        load_network(path, TINY)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "MAX_CONTENT_BYTES", 10_000)
    with pytest.raises(WeightsDamaged, match=r"unpacks to \d+ bytes, expected at most 10000"):
        read_checkpoint(save({"params_ema": tiny_tensors()}))


def test_a_file_of_another_kind_is_refused_by_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "GFPGANv1.4.onnx"
    path.write_bytes(b"onnx")
    with pytest.raises(WrongCheckpoint, match=r"expected \.pth, \.bin, \.safetensors"):
        load_network(path, TINY)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsDamaged, match=r"absent\.pth cannot be read"):
        load_network(tmp_path / "absent.pth", TINY)
