"""The loaded networks on their device, and everything that is done with them."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

from warm.engines.musetalk.acceleration.cuda_graphs import (
    CudaGraphRecorder,
    Graphs,
    Recorder,
    sizes_up_to,
)
from warm.engines.musetalk.acceleration.fused_ops import Fused, fuse_where_it_pays
from warm.engines.musetalk.acceleration.polyphase import use_phases
from warm.engines.musetalk.acceleration.timestep import fold_timestep
from warm.engines.musetalk.async_copy import Copy
from warm.engines.musetalk.audio_encoder import SpeechEncoder
from warm.engines.musetalk.checkpoint import first_line
from warm.engines.musetalk.cuda_errors import device_faults, is_lack_of_memory, is_lasting
from warm.engines.musetalk.decoders import caution
from warm.engines.musetalk.device import Compute, choose
from warm.engines.musetalk.generator import Generator
from warm.engines.musetalk.networks import check_neighbours, load_decoder, load_encoder, load_unet
from warm.engines.musetalk.options import Options
from warm.engines.weights.layout import Layout

UNFUSED = Fused()

log = logging.getLogger(__name__)


class Pipeline:
    """Hearing and painting on one device. One thread owns it."""

    def __init__(
        self, compute: Compute, hearing: SpeechEncoder, painter: Generator, fused: Fused = UNFUSED
    ) -> None:
        self.compute = compute
        self.hearing = hearing
        self.painter = painter
        self.graphs = Graphs(painter)
        self._fused = fused
        self._is_compiled = False
        self._compile_fault: str | None = None

    @property
    def passes(self) -> dict[str, object]:
        """How pictures are drawn, and why not otherwise."""
        return {
            "cuda_graphs": list(self.graphs.sizes),
            "cuda_graphs_fault": self.graphs.fault,
            "compiled": self._is_compiled,
            "compile_fault": self._compile_fault,
            "fused_parts": self._fused.parts,
            "fused_gain": self._fused.gain and round(self._fused.gain, 2),
            "fused_fault": self._fused.fault,
        }

    def compile(self, size: int) -> None:
        """Compile UNet and decoder, with a pass of `size` pictures; takes minutes.

        Where that cannot be done they work as they are; it is logged, and `passes` tells why.
        Raises DeviceFull and EngineLost.
        """
        if not self.compute.is_gpu:
            self._compile_fault = "on a CPU it takes minutes and gains little"
            log.warning("compile_networks has no effect: %s", self._compile_fault)
            return
        self.painter.compile()
        try:
            with device_faults(), self.compute.current():
                self._paint_compiled(size)
        except BaseException:
            self.painter.interpret()
            raise

    def _paint_compiled(self, size: int) -> None:
        try:
            self.painter.paint(*self._empty(size))
            self._is_compiled = True
        except RuntimeError as error:  # which all of the compiler's are
            if is_lack_of_memory(error) or is_lasting(error):
                raise
            self.painter.interpret()
            self._compile_fault = first_line(error)
            log.warning(
                "the networks could not be compiled and are used as they are, which is slower: %s",
                self._compile_fault,
            )

    def record(self, largest: int, recorder: Recorder | None = None) -> None:
        """Record passes of up to `largest` pictures as CUDA graphs; raises EngineLost."""
        with device_faults(), self.compute.current():
            recorder = recorder or CudaGraphRecorder(self.compute.device)
            self.graphs.record(sizes_up_to(largest), *self._empty(largest), recorder)

    def keep(self, latents: NDArray[np.float32]) -> Tensor:
        """An avatar's (n, 8, h, w) latents as `draw` takes them, on the device."""
        with device_faults(), self.compute.current():
            there = torch.tensor(latents).to(self.compute.device, self.painter.dtype)
            return self.painter.keep(there)

    def blank(self, size: int) -> Tensor:
        """Frames of no avatar, as many as `size`, as `keep` gives them."""
        shape = (size, *self.painter.kept_shape)
        return torch.zeros(shape, dtype=self.painter.dtype, device=self.compute.device)

    def draw(self, latents: Sequence[Tensor], tokens: Sequence[NDArray[np.float32]]) -> Copy:
        """Begin to draw one picture for each (8, h, w) of `keep` and its (k, d) tokens.

        Raises DeviceFull and EngineLost. On a GPU nothing here waits for it.
        """
        with device_faults(), self.compute.current():
            return Copy(self.graphs.paint(torch.stack(list(latents)), self._sent(tokens)))

    def hear(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `SpeechEncoder.hear`; raises DeviceFull and EngineLost."""
        with device_faults(), self.compute.current():
            return self.hearing.hear(sound)

    def close(self) -> None:
        """Forget what PyTorch keeps for the compiled networks, and the networks with it."""
        if self._is_compiled:
            torch.compiler.reset()

    def _empty(self, size: int) -> tuple[Tensor, Tensor]:
        tokens = torch.zeros((size, *self.hearing.tokens_shape), device=self.compute.device)
        return self.blank(size), tokens

    def _sent(self, tokens: Sequence[NDArray[np.float32]]) -> Tensor:
        given = torch.from_numpy(np.stack(tokens))
        if self.compute.is_gpu:
            given = given.pin_memory()
        return given.to(self.compute.device, non_blocking=True)


def open_pipeline(layout: Layout, options: Options) -> Pipeline:
    """Load all networks; raises WeightsError, NoSuchDevice, DeviceFull, EngineLost."""
    compute = choose(options.device, options.precision)
    with device_faults():
        set_exactness(compute)
        choose_libraries(compute, options)
        unet, vae = load_unet(layout, compute), load_decoder(layout, compute, options.decoder)
        encoder = load_encoder(layout, Compute(compute.device, "fp32"))
    check_neighbours(layout, unet, vae, encoder)
    if options.exact_savings:
        fold_timestep(unet)
        use_phases(unet)
        use_phases(vae.decoder)
    fused = UNFUSED
    if compute.is_gpu and options.fuses:
        with device_faults(), compute.current():
            fused = fuse_where_it_pays([unet, vae.decoder], compute)
    extractor = WhisperFeatureExtractor.from_pretrained(layout.whisper)
    for note in layout.notes:
        log.warning(note)
    if (words := caution(options.decoder)) is not None:
        log.warning(words)
    return Pipeline(compute, SpeechEncoder(extractor, encoder), Generator(unet, vae), fused)


def set_exactness(compute: Compute) -> None:
    """Let fp32 be fp32 on a GPU too; its convolutions round to ten bits unless told not to."""
    if compute.is_gpu:
        torch.backends.cudnn.allow_tf32 = compute.precision != "fp32"


def choose_libraries(compute: Compute, options: Options) -> None:
    """Which of PyTorch's ways to compute are taken on a GPU.

    cuDNN's attention makes a plan for each shape, for tenths of a second, where others need none.
    """
    if compute.is_gpu:
        torch.backends.cudnn.benchmark = options.search_kernels
        torch.backends.cuda.enable_cudnn_sdp(enabled=False)
