"""`python -m bench parity --golden DIR --models DIR`: each stage by the reference's tensors."""

import argparse
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bench.neural.golden import Golden
from stabilizers.blend import paste
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
"""Largest difference over largest value: what the order of sums in fp32 may change."""
MEL = 1e-5
"""The same of the mel spectrogram: a Fourier transform and a logarithm, whose libraries differ."""
LEVEL = 1.0
"""One of 255: a value between two may be rounded to either."""
MEAN_LEVELS = 0.01
"""Mean colour of a picture, of 255: many such roundings, which cancel."""
DEVIATIONS = 6.0
"""The reference draws its latents at random; in so many numbers none lies further out."""
LAYER = 100_000
"""The window tables were made with this much between the layers of a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the way from sound and picture to the pasted face."""

    name: str
    measured: float
    bound: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the difference is within the bound; not a number is not."""
        return self.measured <= self.bound


def main(argv: Sequence[str]) -> int:
    """Compare, print a table; 1 when a stage differs by more than its bound, 2 when none could."""
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
        failed = [stage.name for stage in told(compare(golden, options)) if not stage.holds]
    except (WeightsError, NoSuchDevice, OSError, ValueError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    known = argparse.ArgumentParser(prog="python -m bench parity", description=__doc__)
    known.add_argument("--golden", type=Path, required=True, metavar="DIR")
    known.add_argument("--models", type=Path, default=Path("models"), metavar="DIR")
    known.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda or cuda:N")
    known.add_argument("--plain", action="store_true", help="without `exact_savings`")
    known.add_argument(
        "--decoder",
        choices=get_args(DecoderKind),
        default="full",
        help="of another one than full the pictures are not compared: their likeness is told",
    )
    return known


HEADING = f"{'stage':44} {'measured':>10} {'bound':>10}"


def told(stages: Iterator[Stage]) -> Iterator[Stage]:
    """Print each stage as it comes; `!` marks one that does not hold."""
    for stage in stages:
        mark = " " if stage.holds else "!"
        print(f"{stage.name:44} {stage.measured:>10.3g}{mark}{stage.bound:>10.3g} {stage.unit}")
        yield stage


def compare(golden: Golden, options: MuseTalkOptions) -> Iterator[Stage]:
    """Every stage, computed by the engine's own code; raises WeightsError and NoSuchDevice."""
    layout = options.layout()
    pipeline = open_pipeline(layout, options)
    yield from window_stages(golden)
    tokens = yield from hearing_stages(golden, pipeline)
    yield from sight_stages(golden, layout, options)
    decoded = yield from painting_stages(golden, pipeline, tokens, options.decoder)
    yield from placing_stages(golden, decoded, is_ours_known=options.decoder == "full")


def hearing_stages(
    golden: Golden, pipeline: Pipeline
) -> Generator[Stage, None, NDArray[np.float32]]:
    """Mel, hidden states, tokens, positions; gives the tokens of all frames."""
    known, audio_encoder = golden.arrays, pipeline.audio_encoder
    mel = np.asarray(audio_encoder.mel(golden.sound)[0])
    yield relative("mel, beginning", mel[:, : known["mel_head"].shape[1]], known["mel_head"], MEL)
    yield relative("mel, end", mel[:, -known["mel_tail"].shape[1] :], known["mel_tail"], MEL)
    hidden = audio_encoder.encode_speech(golden.sound)
    yield relative("hidden states", hidden, known["hidden"])
    chosen = known["sel"]
    tokens = audio_tokens(hidden, frames=int(golden.facts["T"]), fps=int(golden.facts["fps"]))
    yield relative("windows and tokens", tokens[chosen], known["chunks_sel"])
    tokens = tokens + positional_encoding(*tokens.shape[1:])
    placed = known["pe_sel"]
    yield relative("tokens with their positions", tokens[chosen[: len(placed)]], placed)
    return tokens


def sight_stages(
    golden: Golden, layout: WeightsLayout, options: MuseTalkOptions
) -> Iterator[Stage]:
    """Boxes, crops, inputs, and the posterior of the autoencoder."""
    known, cycle = golden.arrays, golden.cycle
    boxes = [golden.box(number) for number in cycle]
    yield identical("boxes", np.array([xyxy(box) for box in boxes]), known["coords_cycle"])
    inputs = np.stack(
        [network_inputs(crop_face(golden.frame(n), golden.box(n))) for n in seen(golden)]
    )
    yield relative("masked input", inputs[0, 0], known["vae_in_masked0"][0])
    yield relative("reference input", inputs[0, 1], known["vae_in_ref0"][0])
    vae = load_vae(layout, choose_device(options.device, options.precision))
    encoder, scale = FaceEncoder(vae), vae.config["scaling_factor"]
    mean, deviation = posterior(encoder, inputs)
    yield relative("latents, mean", mean, known["enc_mean"])
    yield relative("latents, deviation", deviation, known["enc_std"])
    drawn = (known["latents_cycle"] / scale - mean[cycle]) / deviation[cycle]
    yield Stage(
        name="the reference's random latents",
        measured=float(np.abs(drawn).max()),
        bound=DEVIATIONS,
        unit="standard deviations",
    )


def posterior(
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


def painting_stages(
    golden: Golden, pipeline: Pipeline, tokens: NDArray[np.float32], decoder: DecoderKind = "full"
) -> Generator[Stage, None, Picture]:
    """The UNet's latents and the decoded pictures, which are given; in the reference's batches."""
    known, size = golden.arrays, int(golden.facts["batch_size"])
    sources = known["latents_cycle"][np.arange(len(tokens)) % len(golden.cycle)]
    latents, pictures = [], []
    for start in range(0, len(tokens), size):
        part = slice(start, start + size)
        kept = pipeline.prepare_latents(sources[part])
        heard = torch.from_numpy(tokens[part]).to(pipeline.compute.device)
        latents.append(pipeline.generator.predict(kept, heard))
        pictures.append(np.asarray(pipeline.generator.decode(latents[-1], kept).cpu()))
    decoded = np.concatenate(pictures)
    yield relative("UNet output", np.asarray(torch.cat(latents).cpu()), known["unet_out"])
    if decoder == "full":
        yield levels("decoded pictures", decoded[known["dec_sel"]], known["decoded_bgr"])
        means = decoded.mean(axis=(1, 2))
        yield levels("mean colour of all pictures", means, known["dec_mean_bgr"], MEAN_LEVELS)
    else:
        yield likeness(decoded[known["dec_sel"]], known["decoded_bgr"], decoder)
    decoded[known["dec_sel"]] = known["decoded_bgr"]  # so that pasting is judged by itself
    return decoded


def likeness(made: Picture, known: Picture, decoder: DecoderKind) -> Stage:
    """How near pictures are that need not be the reference's, in the rows that can be pasted."""
    ours, theirs = (x[:, FIRST_DECODED_ROW:].reshape(-1, *known.shape[2:]) for x in (made, known))
    return Stage(
        name="decoded pictures, PSNR: not compared",
        measured=float(cv2.PSNR(ours, theirs)),
        bound=float("inf"),
        unit=f"dB; {decoder_note(decoder)}",
    )


def placing_stages(
    golden: Golden, decoded: Picture, *, is_ours_known: bool = True
) -> Iterator[Stage]:
    """Masks and pasted pictures; of our own pictures, if they should be the reference's."""
    known, cycle = golden.arrays, golden.cycle
    squares = np.array([xyxy(parsing_square(golden.box(number))) for number in cycle])
    yield identical("squares of the masks", squares, known["mask_coords_cycle"])
    for number, mask in golden.numbered("mask"):
        made = soft_mask(golden.parsing, golden.box(number))
        yield identical(f"mask {number}", made, mask)
    for number, blend in golden.numbered("blend_"):
        if is_ours_known or number in known["dec_sel"]:
            yield blended(golden, decoded, number, blend, SOFTNESS)
    for number, blend in golden.numbered("offline_blend_"):
        yield blended(golden, decoded, number, blend, OFFLINE_SOFTNESS)
    yield from edge_stages(golden, decoded[0])


def blended(
    golden: Golden, decoded: Picture, number: int, known: Picture, softness: float
) -> Stage:
    """A pasted picture, inside the face's box.

    Identical where the reference's decoded picture is known; elsewhere one of our own is pasted.
    """
    source = golden.cycle[number % len(golden.cycle)]
    box = golden.box(source)
    made = pasted(golden.frame(source), decoded[number], golden.parsing, box, softness)
    inside = made[box.top : box.bottom, box.left : box.right]
    kind = "blend" if softness == SOFTNESS else "offline blend"
    if number in golden.arrays["dec_sel"]:
        return identical(f"{kind} {number}", inside, known)
    return levels(f"{kind} {number}, of our own picture", inside, known)


def edge_stages(golden: Golden, drawn: Picture) -> Iterator[Stage]:
    """A box whose mask leaves the picture."""
    known, edge = golden.arrays, golden.facts["edge"]
    rows, columns = slice(*edge["frame_rows"]), slice(*edge["frame_cols"])
    box = FaceBox(*edge["box_xyxy"])
    frame = golden.base[rows, columns]
    yield identical("square at the edge", np.array(xyxy(parsing_square(box))), known["edge_crop"])
    yield identical("mask at the edge", soft_mask(golden.parsing, box), known["edge_mask"])
    made = pasted(frame, drawn, golden.parsing, box, SOFTNESS)
    yield identical("blend at the edge", made, known["edge_blend"])


def window_stages(golden: Golden) -> Iterator[Stage]:
    """Which steps each frame hears, for every rate and length that the reference can do."""
    for name, table in golden.facts["window_index"].items():
        if isinstance(table, str):
            continue
        rate, seconds = name.split("_")
        steps = round(float(seconds) * 16_000) * STEP_HZ // 16_000
        count = int(table["n"])
        numbers = np.arange(1, steps + 1, dtype=np.float32)[:, None, None]
        layers = np.arange(5, dtype=np.float32)[None, :, None] * LAYER
        tokens = audio_tokens(numbers + layers, frames=count, fps=int(float(rate)))
        made = tokens[:, ::5, 0].astype(int)
        first, last = np.array(table["first"]), np.array(table["last"])
        differing = (
            (made[: len(first)] != first).sum()
            + (made[len(made) - len(last) :] != last).sum()
            + (int(tokens.astype(np.int64).sum()) != table["sum"])
        )
        yield Stage(
            name=f"windows, {rate} fps, {seconds} s",
            measured=float(differing),
            bound=0.0,
            unit="differing",
        )


def pasted(
    frame: Picture, drawn: Picture, parsing: Picture, box: FaceBox, softness: float
) -> Picture:
    """A copy of a frame with a drawn face in its box."""
    mask = crop_mask(soft_mask(parsing, box, softness=softness), box)
    made = frame.copy()
    patch = np.asarray(cv2.resize(drawn, (box.width, box.height)), np.uint8)
    paste(made, patch, mask, np.array([[1.0, 0.0, box.left], [0.0, 1.0, box.top]]))
    return made


def seen(golden: Golden) -> range:
    """The numbers of the frames."""
    return range(int(golden.facts["NF"]))


def xyxy(box: FaceBox) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    return box.left, box.top, box.right, box.bottom


def relative(name: str, made: NDArray[Any], known: NDArray[Any], bound: float = ROUNDING) -> Stage:
    """The largest difference, in the largest value."""
    difference = apart(made, known) / np.abs(known).max()
    return Stage(name=name, measured=float(difference), bound=bound, unit="relative")


def levels(name: str, made: NDArray[Any], known: NDArray[Any], bound: float = LEVEL) -> Stage:
    """The largest difference of colours, of 255."""
    return Stage(name=name, measured=apart(made, known), bound=bound, unit="of 255")


def identical(name: str, made: NDArray[Any], known: NDArray[Any]) -> Stage:
    """How many values differ at all."""
    differing = (made != known).sum() if made.shape == known.shape else known.size
    return Stage(name=name, measured=float(differing), bound=0.0, unit="differing")


def apart(made: NDArray[Any], known: NDArray[Any]) -> float:
    """The largest difference; endless when the shapes differ."""
    if made.shape != known.shape:
        return float("inf")
    return float(np.abs(made.astype(np.float64) - known).max())
