"""The loaded networks on their device, and the operations on them."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

from warm.engines.musetalk.acceleration.cuda_graphs import (
    CudaGraphBackend,
    CudaGraphs,
    GraphBackend,
    graph_sizes,
)
from warm.engines.musetalk.acceleration.fused_ops import FusionResult, fuse_if_faster
from warm.engines.musetalk.acceleration.polyphase import use_polyphase_upsampling
from warm.engines.musetalk.acceleration.timestep import fold_timestep
from warm.engines.musetalk.async_copy import AsyncCopy
from warm.engines.musetalk.audio_encoder import SpeechEncoder
from warm.engines.musetalk.checkpoint import first_line
from warm.engines.musetalk.cuda_errors import (
    is_out_of_memory,
    is_unrecoverable,
    translate_cuda_errors,
)
from warm.engines.musetalk.decoders import decoder_note
from warm.engines.musetalk.device import ComputeDevice, choose_device
from warm.engines.musetalk.generator import Generator
from warm.engines.musetalk.networks import (
    check_compatibility,
    load_audio_encoder,
    load_decoder,
    load_unet,
)
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.weights.layout import WeightsLayout

NOT_FUSED = FusionResult()

log = logging.getLogger(__name__)


class Pipeline:
    """Speech encoder and generator on one device. One thread owns it."""

    def __init__(
        self,
        compute: ComputeDevice,
        audio_encoder: SpeechEncoder,
        generator: Generator,
        fusion: FusionResult = NOT_FUSED,
    ) -> None:
        self.compute = compute
        self.audio_encoder = audio_encoder
        self.generator = generator
        self.graphs = CudaGraphs(generator)
        self._fusion = fusion
        self._is_compiled = False
        self._compile_error: str | None = None

    @property
    def acceleration_facts(self) -> dict[str, object]:
        """Accelerations in use, and the reasons why others are not."""
        return {
            "cuda_graphs": list(self.graphs.sizes),
            "cuda_graphs_fault": self.graphs.error,
            "compiled": self._is_compiled,
            "compile_fault": self._compile_error,
            "fused_parts": self._fusion.parts,
            "fused_gain": self._fusion.speedup and round(self._fusion.speedup, 2),
            "fused_fault": self._fusion.error,
        }

    def compile(self, size: int) -> None:
        """Compile UNet and decoder with a batch of `size` pictures; takes minutes.

        If that fails they run eagerly; the log and `acceleration_facts` give the reason. Raises
        DeviceOutOfMemory and EngineLost.
        """
        if not self.compute.is_gpu:
            self._compile_error = "on a CPU it takes minutes and gains little"
            log.warning("compile_networks has no effect: %s", self._compile_error)
            return
        self.generator.compile()
        try:
            with translate_cuda_errors(), self.compute.as_current():
                self._run_compiled(size)
        except BaseException:
            self.generator.undo_compile()
            raise

    def _run_compiled(self, size: int) -> None:
        try:
            self.generator.generate(*self.blank_batch(size))
            self._is_compiled = True
        except RuntimeError as error:  # base class of all the compiler's errors
            if is_out_of_memory(error) or is_unrecoverable(error):
                raise
            self.generator.undo_compile()
            self._compile_error = first_line(error)
            log.warning(
                "the networks could not be compiled and run eagerly, which is slower: %s",
                self._compile_error,
            )

    def capture_graphs(self, largest: int, backend: GraphBackend | None = None) -> None:
        """Capture batches of up to `largest` pictures as CUDA graphs; raises EngineLost."""
        with translate_cuda_errors(), self.compute.as_current():
            backend = backend or CudaGraphBackend(self.compute.device)
            self.graphs.capture(graph_sizes(largest), *self.blank_batch(largest), backend)

    def prepare_latents(self, latents: NDArray[np.float32]) -> Tensor:
        """Put an avatar's (n, 8, h, w) latents on the device as input of `generate`."""
        with translate_cuda_errors(), self.compute.as_current():
            on_device = torch.tensor(latents).to(self.compute.device, self.generator.dtype)
            return self.generator.prepare_latents(on_device)

    def generate(
        self, latents: Sequence[Tensor], tokens: Sequence[NDArray[np.float32]]
    ) -> AsyncCopy:
        """Begin to generate one picture per frame of `prepare_latents` and its (k, d) tokens.

        Raises DeviceOutOfMemory and EngineLost. On a GPU nothing here waits for it.
        """
        with translate_cuda_errors(), self.compute.as_current():
            return AsyncCopy(
                self.graphs.generate(torch.stack(list(latents)), self._upload_tokens(tokens))
            )

    def encode_speech(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Same as `SpeechEncoder.encode_speech`; raises DeviceOutOfMemory and EngineLost."""
        with translate_cuda_errors(), self.compute.as_current():
            return self.audio_encoder.encode_speech(sound)

    def close(self) -> None:
        """Drop PyTorch's cache of compiled networks, which also holds the networks."""
        if self._is_compiled:
            torch.compiler.reset()

    def blank_latents(self, size: int) -> Tensor:
        """Zero latents of `size` frames, with the shape of `prepare_latents`."""
        shape = (size, *self.generator.input_shape)
        return torch.zeros(shape, dtype=self.generator.dtype, device=self.compute.device)

    def blank_batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Zero latents and tokens of `size` frames, on the device."""
        tokens = torch.zeros((size, *self.audio_encoder.tokens_shape), device=self.compute.device)
        return self.blank_latents(size), tokens

    def _upload_tokens(self, tokens: Sequence[NDArray[np.float32]]) -> Tensor:
        batch = torch.from_numpy(np.stack(tokens))
        if self.compute.is_gpu:
            batch = batch.pin_memory()
        return batch.to(self.compute.device, non_blocking=True)


def open_pipeline(layout: WeightsLayout, options: MuseTalkOptions) -> Pipeline:
    """Load all networks; raises WeightsError, NoSuchDevice, DeviceOutOfMemory, EngineLost."""
    compute = choose_device(options.device, options.precision)
    with translate_cuda_errors():
        set_tf32(compute)
        configure_backends(compute, options)
        unet, vae = load_unet(layout, compute), load_decoder(layout, compute, options.decoder)
        encoder = load_audio_encoder(layout, ComputeDevice(compute.device, "fp32"))
    check_compatibility(layout, unet, vae, encoder)
    if options.exact_savings:
        fold_timestep(unet)
        use_polyphase_upsampling(unet)
        use_polyphase_upsampling(vae.decoder)
    fusion = NOT_FUSED
    if compute.is_gpu and options.uses_fused_kernels:
        with translate_cuda_errors(), compute.as_current():
            fusion = fuse_if_faster([unet, vae.decoder], compute)
    log_notes(layout, options)
    extractor = WhisperFeatureExtractor.from_pretrained(layout.whisper)
    return Pipeline(compute, SpeechEncoder(extractor, encoder), Generator(unet, vae), fusion)


def log_notes(layout: WeightsLayout, options: MuseTalkOptions) -> None:
    """Log weights found in unusual places, and a decoder that differs from the reference's."""
    for note in (*layout.notes, decoder_note(options.decoder)):
        if note is not None:
            log.warning(note)


def set_tf32(compute: ComputeDevice) -> None:
    """Disable TF32 for fp32 on a GPU; by default PyTorch's convolutions round to ten bits."""
    if compute.is_gpu:
        torch.backends.cudnn.allow_tf32 = compute.precision != "fp32"


def configure_backends(compute: ComputeDevice, options: MuseTalkOptions) -> None:
    """Choose PyTorch's backends on a GPU.

    cuDNN's attention builds a plan for each shape in tenths of a second; the others need none.
    """
    if compute.is_gpu:
        torch.backends.cudnn.benchmark = options.search_kernels
        torch.backends.cuda.enable_cudnn_sdp(enabled=False)
