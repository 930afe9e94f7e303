"""Decoders whose pictures differ from the reference's: similarity, errors and notes."""

import json
import logging
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers.image_processor import VaeImageProcessor
from numpy.typing import NDArray
from torch import Tensor, nn

from tests.warm.engines.musetalk.tiny_weights import VAE, write_tiny
from tests.warm.portraits import UPRIGHT, build_portrait, open_build, portrait, rotation_about_face
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarOutdated
from warm.engines.base import Patch, PatchRequest
from warm.engines.musetalk.acceleration.cuda_graphs import CapturedBatch
from warm.engines.musetalk.acceleration.fused_ops import TorchKernels, fuse
from warm.engines.musetalk.acceleration.partial_decoder import (
    HALO,
    FullPictureNorm,
    PartialDecoder,
    rows_to_drop,
    statistics_by_norm,
    statistics_by_reduction,
)
from warm.engines.musetalk.acceleration.polyphase import (
    PolyphaseUpsampling,
    use_polyphase_upsampling,
)
from warm.engines.musetalk.decoders import FIRST_DECODED_ROW, DecoderKind
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.errors import IncompatibleConfig
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import Pipeline, open_pipeline
from warm.engines.weights.errors import WeightsMissing

pytestmark = pytest.mark.slow

OTHERS: tuple[DecoderKind, ...] = ("half", "tiny")
GREY = 128
ROUNDING = 1e-4
"""Sums have another order, and successive norms amplify the difference."""


@pytest.fixture(scope="module")
def models(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All models, including the tiny autoencoder."""
    folder = tmp_path_factory.mktemp("decoders") / "models"
    shutil.copytree(weights, folder)
    write_tiny(folder)
    return folder


def options(models: Path, decoder: DecoderKind, **chosen: Any) -> MuseTalkOptions:
    return MuseTalkOptions(
        models_dir=models, **{"device": "cpu", "precision": "fp32", **chosen}, decoder=decoder
    )


def pipeline_of(models: Path, decoder: DecoderKind, **chosen: Any) -> Pipeline:
    wanted = options(models, decoder, **chosen)
    return open_pipeline(wanted.layout(), wanted)


def latents_of(count: int) -> Tensor:
    return torch.randn(count, 4, 32, 32, generator=torch.Generator().manual_seed(count))


def lower_rows(pictures: Tensor) -> NDArray[np.uint8]:
    """Rows that `half` decodes, vertically stacked."""
    return np.asarray(pictures[:, FIRST_DECODED_ROW:]).reshape(-1, 256, 3)


@pytest.mark.parametrize("phases", [False, True])
def test_half_is_exact_if_the_upper_statistics_are(phases: bool) -> None:
    """Catches dropped rows that a later row needs, and norms over a part of the picture."""
    whole = decoder_of(phases=phases)
    with torch.inference_mode():
        expected = whole(latents_of(2))[:, :, FIRST_DECODED_ROW:]
        actual = {}
        for halo in (HALO, HALO - 2):
            half = PartialDecoder(deepcopy(whole), first_row=FIRST_DECODED_ROW, halo=halo)
            drawn = half(latents_of(2), half.upper_statistics(latents_of(2)))
            actual[halo] = relative(drawn[:, :, FIRST_DECODED_ROW:], expected)
    assert actual[HALO] < ROUNDING < actual[HALO - 2]


def test_half_works_with_fused_modules() -> None:
    half = PartialDecoder(decoder_of(phases=True), first_row=FIRST_DECODED_ROW)
    with torch.inference_mode():
        expected = half(latents_of(2), half.upper_statistics(latents_of(2)))
        assert fuse(half, TorchKernels()) > 0
        actual = half(latents_of(2), half.upper_statistics(latents_of(2)))
    assert relative(actual, expected) < ROUNDING


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_full_picture_norm_needs_only_the_lower_rows(
    dtype: torch.dtype, layout: torch.memory_format
) -> None:
    torch.manual_seed(6)
    plain = nn.GroupNorm(3, 6).requires_grad_(requires_grad=False)
    nn.init.normal_(plain.weight), nn.init.normal_(plain.bias)
    picture = 5 + 3 * torch.randn(2, 6, 20, 9)
    picture[:, :, :11] -= 20
    expected = plain(picture)[:, :, 6:]
    norm = FullPictureNorm(plain.to(dtype), first_row=6, halo=2)
    given = picture.to(dtype, memory_format=layout)
    norm.upper = norm.measure_upper(given)
    given[:, :, 6:8] = 100  # halo
    actual = norm(given[:, :, 6:].contiguous(memory_format=layout))
    assert actual.dtype == dtype and actual.is_contiguous(memory_format=layout)
    bounds = {torch.float32: 1e-6, torch.bfloat16: 0.03, torch.float16: 0.004}
    assert relative(actual[:, :, 2:].float(), expected[:, :, 2:]) < bounds[dtype]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_both_ways_to_compute_statistics_agree_on_cut_pictures(layout: torch.memory_format) -> None:
    whole = torch.randn(2, 8, 12, 6).contiguous(memory_format=layout) * 3 + 5
    rows = whole[:, :, 4:]
    by_norm = statistics_by_norm(rows, 4, 1e-6)
    for one, other in zip(by_norm, statistics_by_reduction(rows, 4), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_other_upper_statistics_change_every_lower_row() -> None:
    half = PartialDecoder(decoder_of(phases=False), first_row=FIRST_DECODED_ROW)
    with torch.inference_mode():
        above = half.upper_statistics(latents_of(1))
        expected, actual = half(latents_of(1), above), half(latents_of(1), 1.5 * above)
    apart = (actual - expected).abs().amax(dim=(0, 1, 3))
    assert bool((apart[FIRST_DECODED_ROW:] > 0).all()) and not bool(apart[:FIRST_DECODED_ROW].any())


def decoder_of(*, phases: bool) -> nn.Module:
    """A decoder as deep as the published one, with random norms."""
    torch.manual_seed(5)
    whole = AutoencoderKL.from_config({**VAE, "layers_per_block": 2}).decoder.eval()
    with torch.no_grad():
        for tensor in whole.parameters():
            tensor.add_(torch.randn_like(tensor), alpha=0.05)
    if phases:
        assert use_polyphase_upsampling(whole) == 3
    return nn.Module.requires_grad_(whole, requires_grad=False)


def relative(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("sizes", [1, 2, 4, 6])
@pytest.mark.parametrize("halo", [0, 3, 8, 100])
def test_the_rows_of_every_size_begin_where_the_previous_size_was_cut(
    sizes: int, halo: int
) -> None:
    dropped = rows_to_drop(sizes, first_row=FIRST_DECODED_ROW, halo=halo)
    assert len(dropped) == sizes
    begins = 0
    for number, drop in enumerate(dropped):
        last = number == sizes - 1
        assert drop >= 0 and (drop >= min(halo, begins + drop) or number == 0)
        begins = (begins + drop) * (1 if last else 2)
    assert begins == FIRST_DECODED_ROW


def test_a_decoder_of_other_blocks_is_refused(models: Path, tmp_path: Path) -> None:
    """Catches attention that is silently skipped."""
    copied = Path(shutil.copytree(models, tmp_path / "models"))
    config = {**VAE, "up_block_types": ["AttnUpDecoderBlock2D", *["UpDecoderBlock2D"] * 3]}
    (copied / "sd-vae" / "config.json").write_text(json.dumps(config))
    torch.save(
        AutoencoderKL.from_config(config).state_dict(),
        copied / "sd-vae" / "diffusion_pytorch_model.bin",
    )
    pipeline_of(copied, "full")
    with pytest.raises(IncompatibleConfig, match=r"AttnUpDecoderBlock2D.*Choose decoder = 'full'"):
        pipeline_of(copied, "half")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("exact_savings", [True, False])
def test_half_decodes_nearly_the_same_lower_rows_and_grey_upper_rows(
    models: Path, precision: str, exact_savings: bool
) -> None:
    chosen = {"precision": precision, "exact_savings": exact_savings}
    full, half = (pipeline_of(models, kind, **chosen) for kind in ("full", "half"))
    face, drawn = avatar_and_generated()
    expected = full.generator.decode(drawn)
    actual = half.generator.decode(drawn, half.prepare_latents(face.numpy()))
    assert actual.shape == expected.shape == (2, 256, 256, 3)
    assert bool((actual[:, :FIRST_DECODED_ROW] == GREY).all())
    assert not np.array_equal(lower_rows(actual), lower_rows(expected))
    assert cv2.PSNR(lower_rows(actual), lower_rows(expected)) > 40
    enlargements = sum(
        isinstance(each, PolyphaseUpsampling) for each in half.generator.vae.decoder.modules()
    )
    assert enlargements == (3 if exact_savings else 0)


def avatar_and_generated() -> tuple[Tensor, Tensor]:
    """Two frames of an avatar, and their faces with other mouths and a little noise."""
    noise = torch.Generator().manual_seed(12)
    face = torch.randn(2, 8, 32, 32, generator=noise)
    face[:, :, :14] = 0.5 * face[:, :, :14] + 0.5
    drawn = face[:, 4:] + 0.05 * torch.randn(2, 4, 32, 32, generator=noise)
    drawn[:, :, 18:28, 10:22] = torch.randn(2, 4, 10, 12, generator=noise)
    return face, drawn


def published(models: Path, latents: Tensor) -> NDArray[np.uint8]:
    """BGR pictures as diffusers' own pipelines decode them with a tiny autoencoder."""
    tiny = AutoencoderTiny.from_pretrained(models / "taesd")
    with torch.inference_mode():
        actual = tiny.decode(latents / tiny.config.scaling_factor, return_dict=False)[0]
    processor = VaeImageProcessor()
    return np.stack([np.asarray(each)[..., ::-1] for each in processor.postprocess(actual)])


def test_the_tiny_autoencoder_is_used_as_published(models: Path) -> None:
    """Catches latents with the full autoencoder's scale, or another range of colours."""
    tiny = pipeline_of(models, "tiny").generator
    actual, expected = tiny.decode(latents_of(3)).numpy(), published(models, latents_of(3))
    assert np.abs(actual.astype(int) - expected).max() <= 1
    assert expected.std() > 1


@pytest.mark.parametrize("decoder", OTHERS)
def test_a_batch_has_a_fixed_size_and_can_be_captured(models: Path, decoder: DecoderKind) -> None:
    pipeline = pipeline_of(models, decoder)
    tokens = torch.zeros(4, *pipeline.audio_encoder.tokens_shape)
    latents = pipeline.prepare_latents(torch.cat([latents_of(4), latents_of(4)], dim=1).numpy())
    expected = pipeline.generator.generate(latents, tokens)
    pipeline.capture_graphs(4, ReplayBackend())
    assert max(pipeline.graphs.sizes) == 4
    actual = pipeline.graphs.generate(latents[:3], tokens[:3])
    assert int((actual.int() - expected[:3].int()).abs().max()) <= 1


class ReplayBackend:
    """Substitute for CUDA graphs, which writes to the same memory every time."""

    def warm_up(self, work: Callable[[], Tensor]) -> None:
        work()

    def abort(self) -> None:
        raise AssertionError("every batch can be captured")

    def capture(self, work: Callable[[], Tensor]) -> CapturedBatch:
        pictures = work().clone()

        def play() -> None:
            pictures.copy_(work())

        return CapturedBatch(play, pictures)


@pytest.fixture(scope="module")
def avatar(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    """Prepared for the full decoder."""
    build = build_portrait(
        tmp_path_factory.mktemp("sitter"), portrait(), [UPRIGHT, rotation_about_face(12.0)]
    )
    MuseTalkEngine(options(models, "full")).prepare(build)
    return open_build(build, "sitter")


def patches_of(models: Path, avatar: Avatar, decoder: DecoderKind) -> list[Patch]:
    engine = MuseTalkEngine(options(models, decoder))
    engine.load_avatar(avatar)
    engine.load()
    rows = np.zeros((2, *engine.pipeline.audio_encoder.tokens_shape), np.float32)
    return engine.submit(
        [PatchRequest(avatar, frame, row) for frame, row in enumerate(rows)]
    ).patches()


def test_an_avatar_works_with_any_decoder_and_no_grey_row_is_pasted(
    models: Path, avatar: Avatar
) -> None:
    full, half, tiny = (patches_of(models, avatar, kind) for kind in ("full", *OTHERS))
    for one, other, small in zip(full, half, tiny, strict=True):
        assert one.picture.shape == other.picture.shape == small.picture.shape
        assert np.array_equal(one.mask, other.mask)
        assert cv2.PSNR(one.picture, other.picture) > 30
        assert not (other.picture == GREY).all(axis=(1, 2)).any()
        assert not np.array_equal(one.picture, small.picture)


@pytest.mark.parametrize("decoder", OTHERS)
def test_preparation_does_not_depend_on_the_decoder(
    models: Path, avatar: Avatar, decoder: DecoderKind, tmp_path: Path
) -> None:
    build = build_portrait(tmp_path, portrait(), [UPRIGHT, rotation_about_face(12.0)])
    MuseTalkEngine(options(models, decoder)).prepare(build)
    actual = open_build(build, "sitter")
    assert actual.extras.keys() == avatar.extras.keys()
    for name, array in avatar.extras.items():
        assert np.array_equal(actual.extras[name], array), name


def test_a_mask_that_begins_above_the_decoded_rows_is_refused(models: Path, avatar: Avatar) -> None:
    tops = np.asarray(avatar.extras["musetalk_tops"])
    high = replace(avatar, extras={**avatar.extras, "musetalk_tops": tops - tops.min() + 40})
    MuseTalkEngine(options(models, "full")).load_avatar(high)
    with pytest.raises(
        AvatarOutdated, match=r"'sitter' begins in row 40 .* Choose decoder = 'full'"
    ):
        MuseTalkEngine(options(models, "half")).load_avatar(high)


@pytest.mark.parametrize("decoder", OTHERS)
def test_other_decoders_have_a_note_in_the_log_and_in_the_status(
    models: Path, decoder: DecoderKind, caplog: pytest.LogCaptureFixture
) -> None:
    engine = MuseTalkEngine(options(models, decoder))
    words = f"decoder = '{decoder}': pictures differ from the reference's"
    assert engine.device_status()["decoder"] == decoder
    with caplog.at_level(logging.WARNING):
        engine.load()
    assert [words in record.getMessage() for record in caplog.records].count(True) == 1
    assert engine.device_status()["decoder_note"].startswith(words)


def test_the_full_decoder_has_no_note(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = MuseTalkEngine(options(models, "full"))
    with caplog.at_level(logging.WARNING):
        engine.load()
    assert "decoder" not in caplog.text
    assert (engine.device_status()["decoder"], engine.device_status()["decoder_note"]) == (
        "full",
        None,
    )


def test_missing_tiny_weights_are_reported_only_if_they_are_needed(weights: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"decoder = 'tiny'.*taesd.*models download.*--tiny"):
        options(weights, "tiny").layout()
    assert options(weights, "half").layout().tiny is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("latent_channels", 16, "latent_channels is 16, expected 4"),
        ("upsampling_scaling_factor", 4, "num_decoder_blocks is 64, expected 8"),
        ("decoder_block_out_channels", [4, 4, 4], "describes no valid network"),
    ],
)
def test_an_incompatible_tiny_autoencoder_is_refused(
    weights: Path, tmp_path: Path, field: str, value: object, words: str
) -> None:
    copied = Path(shutil.copytree(weights, tmp_path / "models"))
    folder = write_tiny(copied)
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(IncompatibleConfig) as refused:
        pipeline_of(copied, "tiny")
    assert words in str(refused.value) and str(folder / "config.json") in str(refused.value)
