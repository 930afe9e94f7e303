"""`python -m bench parity --golden DIR --models DIR`: each stage against golden data."""

import argparse
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from bench.neural.golden import Golden
from stabilizers.blend import paste
from warm.engines.musetalk.audio_encoder import mel_spectrogram
from warm.engines.musetalk.audio_windows import STEP_HZ, audio_tokens, positional_encoding
from warm.engines.musetalk.crop import FaceBox, Picture, crop_face, network_inputs
from warm.engines.musetalk.decoders import FIRST_DECODED_ROW, DecoderKind, decoder_note
from warm.engines.musetalk.device import choose_device
from warm.engines.musetalk.errors import NoSuchDevice
from warm.engines.musetalk.generator import FaceEncoder
from warm.engines.musetalk.mask import (
    OFFLINE_SOFTNESS,
    SOFTNESS,
    crop_mask,
    parsing_square,
    soft_mask,
)
from warm.engines.musetalk.networks import load_vae
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import Pipeline, open_pipeline
from warm.engines.weights.errors import WeightsError
from warm.engines.weights.layout import WeightsLayout

ROUNDING = 2e-5
"""Largest difference as a share of the largest value: the effect of another order of fp32 sums."""
MEL = 1e-5
"""The same for the mel spectrogram, computed by `portable_mel`."""
LEVEL = 1.0
"""One level of 255: a value between two levels may be rounded to either."""
MEAN_LEVELS = 0.01
"""Mean colour of a picture, of 255: many such roundings cancel."""
DEVIATIONS = 6.0
"""The reference samples its latents; no sample may be further from the mean."""
LAYER = 100_000
"""Difference between the layers of a step in the golden window tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """Comparison of one step between sound, picture and the pasted face."""

    name: str
    measured: float
    bound: float
    unit: str

    @property
    def holds(self) -> bool:
        """True if the difference is within the bound; False for NaN."""
        return self.measured <= self.bound


def main(argv: Sequence[str]) -> int:
    """Compare and print a table; 1 if a stage exceeds its bound, 2 if nothing can be compared."""
    arguments = parser().parse_args(argv)
    options = MuseTalkOptions(
        models_dir=arguments.models,
        device=arguments.device,
        precision="fp32",
        exact_savings=not arguments.plain,
        decoder=arguments.decoder,
    )
    try:
        golden = Golden.read(arguments.golden)
        print(HEADING, flush=True)
        failed = [stage.name for stage in print_stages(compare(golden, options)) if not stage.holds]
    except (WeightsError, NoSuchDevice, OSError, ValueError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    command = argparse.ArgumentParser(prog="python -m bench parity", description=__doc__)
    command.add_argument("--golden", type=Path, required=True, metavar="DIR")
    command.add_argument("--models", type=Path, default=Path("models"), metavar="DIR")
    command.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda or cuda:N")
    command.add_argument("--plain", action="store_true", help="without `exact_savings`")
    command.add_argument(
        "--decoder",
        choices=get_args(DecoderKind),
        default="full",
        help="with a decoder other than full, the similarity of pictures is printed, not judged",
    )
    return command


HEADING = f"{'stage':44} {'measured':>10} {'bound':>10}"


def print_stages(stages: Iterator[StageResult]) -> Iterator[StageResult]:
    """Print each stage when it is finished; `!` marks one that exceeds its bound."""
    for stage in stages:
        mark = " " if stage.holds else "!"
        print(f"{stage.name:44} {stage.measured:>10.3g}{mark}{stage.bound:>10.3g} {stage.unit}")
        yield stage


def compare(golden: Golden, options: MuseTalkOptions) -> Iterator[StageResult]:
    """Compare every stage of the engine; raises WeightsError and NoSuchDevice."""
    layout = options.layout()
    pipeline = open_pipeline(layout, options)
    yield from window_stages(golden)
    tokens = yield from audio_stages(golden, pipeline)
    yield from crop_stages(golden, layout, options)
    decoded = yield from generator_stages(golden, pipeline, tokens, options.decoder)
    yield from paste_stages(golden, decoded, is_reference_decoder=options.decoder == "full")


def audio_stages(
    golden: Golden, pipeline: Pipeline
) -> Generator[StageResult, None, NDArray[np.float32]]:
    """Mel, hidden states, tokens, positional encoding; returns the tokens of all frames."""
    expected, audio_encoder = golden.arrays, pipeline.audio_encoder
    mel = portable_mel(audio_encoder.extractor, golden.sound)
    yield relative(
        "mel, beginning", mel[:, : expected["mel_head"].shape[1]], expected["mel_head"], MEL
    )
    yield relative("mel, end", mel[:, -expected["mel_tail"].shape[1] :], expected["mel_tail"], MEL)
    hidden = audio_encoder.encode_speech(golden.sound)
    yield relative("hidden states", hidden, expected["hidden"])
    chosen = expected["sel"]
    tokens = audio_tokens(hidden, frames=int(golden.facts["T"]), fps=int(golden.facts["fps"]))
    yield relative("windows and tokens", tokens[chosen], expected["chunks_sel"])
    tokens = tokens + positional_encoding(*tokens.shape[1:])
    placed = expected["pe_sel"]
    yield relative("tokens with their positions", tokens[chosen[: len(placed)]], placed)
    return tokens


def portable_mel(
    extractor: WhisperFeatureExtractor, sound: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(bands, 3000) mel spectrogram, the same on every processor.

    MKL's FFT differs between processors by its instruction sets, and the logarithm turns that into
    up to 3e-5 in quiet bands. MKL has a mode without such differences; a process can choose it only
    before its first calculation, hence the new process.
    """
    new = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=new, initializer=choose_portable_mkl) as process:
        return process.submit(cpu_mel, extractor, sound).result()


def choose_portable_mkl() -> None:
    """Select MKL's code path that gives the same results on every processor."""
    os.environ["MKL_CBWR"] = "COMPATIBLE"


def cpu_mel(extractor: WhisperFeatureExtractor, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """(bands, 3000) mel spectrogram, computed on the CPU."""
    return np.asarray(mel_spectrogram(extractor, sound, "cpu")[0])


def crop_stages(
    golden: Golden, layout: WeightsLayout, options: MuseTalkOptions
) -> Iterator[StageResult]:
    """Boxes, crops, inputs, and the autoencoder's posterior."""
    expected, cycle = golden.arrays, golden.cycle
    boxes = [golden.box(number) for number in cycle]
    yield identical("boxes", np.array([xyxy(box) for box in boxes]), expected["coords_cycle"])
    inputs = np.stack(
        [network_inputs(crop_face(golden.frame(n), golden.box(n))) for n in frame_numbers(golden)]
    )
    yield relative("masked input", inputs[0, 0], expected["vae_in_masked0"][0])
    yield relative("reference input", inputs[0, 1], expected["vae_in_ref0"][0])
    vae = load_vae(layout, choose_device(options.device, options.precision))
    encoder, scale = FaceEncoder(vae), vae.config["scaling_factor"]
    mean, deviation = face_posterior(encoder, inputs)
    yield relative("latents, mean", mean, expected["enc_mean"])
    yield relative("latents, deviation", deviation, expected["enc_std"])
    drawn = (expected["latents_cycle"] / scale - mean[cycle]) / deviation[cycle]
    yield StageResult(
        name="the reference's random latents",
        measured=float(np.abs(drawn).max()),
        bound=DEVIATIONS,
        unit="standard deviations",
    )


def face_posterior(
    encoder: FaceEncoder, inputs: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation of (n, 2, 3, h, w) inputs, (n, 8, h, w) each, one picture at a time."""
    pairs = [
        [np.asarray(part.cpu())[0] for part in encoder.posterior(torch.from_numpy(one[None]))]
        for both in inputs
        for one in both
    ]
    mean, deviation = (np.stack([pair[part] for pair in pairs]) for part in (0, 1))
    shape = (len(inputs), -1, *mean.shape[2:])
    return mean.reshape(shape), deviation.reshape(shape)


def generator_stages(
    golden: Golden, pipeline: Pipeline, tokens: NDArray[np.float32], decoder: DecoderKind = "full"
) -> Generator[StageResult, None, Picture]:
    """UNet output and decoded pictures in the reference's batches; returns the pictures."""
    expected, size = golden.arrays, int(golden.facts["batch_size"])
    sources = expected["latents_cycle"][np.arange(len(tokens)) % len(golden.cycle)]
    latents, pictures = [], []
    for start in range(0, len(tokens), size):
        part = slice(start, start + size)
        kept = pipeline.prepare_latents(sources[part])
        on_device = torch.from_numpy(tokens[part]).to(pipeline.compute.device)
        latents.append(pipeline.generator.predict(kept, on_device))
        pictures.append(np.asarray(pipeline.generator.decode(latents[-1], kept).cpu()))
    decoded = np.concatenate(pictures)
    yield relative("UNet output", np.asarray(torch.cat(latents).cpu()), expected["unet_out"])
    if decoder == "full":
        yield levels("decoded pictures", decoded[expected["dec_sel"]], expected["decoded_bgr"])
        means = decoded.mean(axis=(1, 2))
        yield levels("mean colour of all pictures", means, expected["dec_mean_bgr"], MEAN_LEVELS)
    else:
        yield similarity(decoded[expected["dec_sel"]], expected["decoded_bgr"], decoder)
    # Errors of the decoder must not affect pasting.
    decoded[expected["dec_sel"]] = expected["decoded_bgr"]
    return decoded


def similarity(actual: Picture, expected: Picture, decoder: DecoderKind) -> StageResult:
    """PSNR of pictures that may differ from the reference's, in the rows that can be pasted."""
    ours, theirs = (
        x[:, FIRST_DECODED_ROW:].reshape(-1, *expected.shape[2:]) for x in (actual, expected)
    )
    return StageResult(
        name="decoded pictures, PSNR: not compared",
        measured=float(cv2.PSNR(ours, theirs)),
        bound=float("inf"),
        unit=f"dB; {decoder_note(decoder)}",
    )


def paste_stages(
    golden: Golden, decoded: Picture, *, is_reference_decoder: bool = True
) -> Iterator[StageResult]:
    """Masks and pasted pictures; the engine's own pictures only if they should be equal."""
    expected, cycle = golden.arrays, golden.cycle
    squares = np.array([xyxy(parsing_square(golden.box(number))) for number in cycle])
    yield identical("squares of the masks", squares, expected["mask_coords_cycle"])
    for number, mask in golden.numbered("mask"):
        actual = soft_mask(golden.parsing, golden.box(number))
        yield identical(f"mask {number}", actual, mask)
    for number, blend in golden.numbered("blend_"):
        if is_reference_decoder or number in expected["dec_sel"]:
            yield compare_blend(golden, decoded, number, blend, SOFTNESS)
    for number, blend in golden.numbered("offline_blend_"):
        yield compare_blend(golden, decoded, number, blend, OFFLINE_SOFTNESS)
    yield from edge_stages(golden, decoded[0])


def compare_blend(
    golden: Golden, decoded: Picture, number: int, expected: Picture, softness: float
) -> StageResult:
    """Compare a pasted picture inside the face's box.

    It must be identical if the reference's decoded picture is known; otherwise the engine's own
    picture is pasted.
    """
    source = golden.cycle[number % len(golden.cycle)]
    box = golden.box(source)
    actual = paste_face(golden.frame(source), decoded[number], golden.parsing, box, softness)
    inside = actual[box.top : box.bottom, box.left : box.right]
    kind = "blend" if softness == SOFTNESS else "offline blend"
    if number in golden.arrays["dec_sel"]:
        return identical(f"{kind} {number}", inside, expected)
    return levels(f"{kind} {number}, of the engine's own picture", inside, expected)


def edge_stages(golden: Golden, drawn: Picture) -> Iterator[StageResult]:
    """A box whose mask exceeds the picture."""
    expected, edge = golden.arrays, golden.facts["edge"]
    rows, columns = slice(*edge["frame_rows"]), slice(*edge["frame_cols"])
    box = FaceBox(*edge["box_xyxy"])
    frame = golden.base[rows, columns]
    yield identical(
        "square at the edge", np.array(xyxy(parsing_square(box))), expected["edge_crop"]
    )
    yield identical("mask at the edge", soft_mask(golden.parsing, box), expected["edge_mask"])
    actual = paste_face(frame, drawn, golden.parsing, box, SOFTNESS)
    yield identical("blend at the edge", actual, expected["edge_blend"])


def window_stages(golden: Golden) -> Iterator[StageResult]:
    """Window tables for every frame rate and length that the reference supports."""
    for name, table in golden.facts["window_index"].items():
        if isinstance(table, str):
            continue
        rate, seconds = name.split("_")
        steps = round(float(seconds) * 16_000) * STEP_HZ // 16_000
        count = int(table["n"])
        numbers = np.arange(1, steps + 1, dtype=np.float32)[:, None, None]
        layers = np.arange(5, dtype=np.float32)[None, :, None] * LAYER
        tokens = audio_tokens(numbers + layers, frames=count, fps=int(float(rate)))
        actual = tokens[:, ::5, 0].astype(int)
        first, last = np.array(table["first"]), np.array(table["last"])
        differing = (
            (actual[: len(first)] != first).sum()
            + (actual[len(actual) - len(last) :] != last).sum()
            + (int(tokens.astype(np.int64).sum()) != table["sum"])
        )
        yield StageResult(
            name=f"windows, {rate} fps, {seconds} s",
            measured=float(differing),
            bound=0.0,
            unit="differing",
        )


def paste_face(
    frame: Picture, drawn: Picture, parsing: Picture, box: FaceBox, softness: float
) -> Picture:
    """A copy of a frame with a generated face in its box."""
    mask = crop_mask(soft_mask(parsing, box, softness=softness), box)
    actual = frame.copy()
    patch = np.asarray(cv2.resize(drawn, (box.width, box.height)), np.uint8)
    paste(actual, patch, mask, np.array([[1.0, 0.0, box.left], [0.0, 1.0, box.top]]))
    return actual


def frame_numbers(golden: Golden) -> range:
    """Numbers of the golden frames."""
    return range(int(golden.facts["NF"]))


def xyxy(box: FaceBox) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    return box.left, box.top, box.right, box.bottom


def relative(
    name: str, actual: NDArray[Any], expected: NDArray[Any], bound: float = ROUNDING
) -> StageResult:
    """Largest difference as a share of the largest value."""
    difference = max_difference(actual, expected) / np.abs(expected).max()
    return StageResult(name=name, measured=float(difference), bound=bound, unit="relative")


def levels(
    name: str, actual: NDArray[Any], expected: NDArray[Any], bound: float = LEVEL
) -> StageResult:
    """Largest difference of colours, of 255."""
    return StageResult(
        name=name, measured=max_difference(actual, expected), bound=bound, unit="of 255"
    )


def identical(name: str, actual: NDArray[Any], expected: NDArray[Any]) -> StageResult:
    """Number of values that differ."""
    differing = (actual != expected).sum() if actual.shape == expected.shape else expected.size
    return StageResult(name=name, measured=float(differing), bound=0.0, unit="differing")


def max_difference(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest difference; infinite if the shapes differ."""
    if actual.shape != expected.shape:
        return float("inf")
    return float(np.abs(actual.astype(np.float64) - expected).max())
