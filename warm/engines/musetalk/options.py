"""Options of the neural engine. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warm.avatars.file_checks import digest_of_file
from warm.avatars.recipe import ENGINES
from warm.engines.musetalk.decoders import DecoderKind, decoder_note
from warm.engines.weights.errors import WeightsMissing
from warm.engines.weights.layout import WeightsLayout, download_command, find_weights
from warm.engines.weights.manifest import PARSER, TINY

Recipe = dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MuseTalkOptions:
    """The engine's part of the settings; `warm/settings/fields.py` documents them."""

    models_dir: Path
    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    placement: Literal["stabilized", "reference"] = "stabilized"
    face_mask: Literal["landmarks", "parser"] = "landmarks"
    decoder: DecoderKind = "full"
    bbox_shift: int = 0
    first_batch: int = 2
    largest_batch: int = 25
    max_vram_gb: float | None = None
    exact_savings: bool = True
    cuda_graphs: bool = True
    compile_networks: bool = False
    fused_kernels: bool = True
    search_kernels: bool = False

    @property
    def uses_fused_kernels(self) -> bool:
        """True if norms and sums run in the engine's own kernels; a compiler's are better."""
        return self.fused_kernels and self.exact_savings and not self.compile_networks

    def layout(self) -> WeightsLayout:
        """Find the weights; raises WeightsError if files that these options need are missing."""
        layout = find_weights(self.models_dir)
        if self.face_mask == "parser" and layout.parser is None:
            raise WeightsMissing(
                f"face_mask = 'parser' needs a face parser in {self.models_dir / PARSER.folder}, "
                "which does not exist. Choose face_mask = 'landmarks', or run: "
                f"{download_command(self.models_dir, PARSER)}"
            )
        if self.decoder == "tiny" and layout.tiny is None:
            raise WeightsMissing(
                f"decoder = 'tiny' needs a tiny autoencoder in {self.models_dir / TINY.folder}, "
                "which does not exist. Choose decoder = 'full', or run: "
                f"{download_command(self.models_dir, TINY)}"
            )
        return layout

    def decoder_facts(self) -> dict[str, str | None]:
        """Name of the decoder, and how its pictures differ from the reference's."""
        return {"decoder": self.decoder, "decoder_note": decoder_note(self.decoder)}

    def recipe(self, layout: WeightsLayout) -> Recipe:
        """Everything that changes the result of preparation for the same frames and landmarks.

        `decoder` is not part of it: the full autoencoder encodes faces in any case.
        """
        recipe: Recipe = {
            "version": ENGINES["musetalk"],
            "placement": self.placement,
            "face_mask": self.face_mask,
            "vae": digest_of_file(layout.vae_weights),
        }
        if self.face_mask == "parser":
            assert layout.parser_weights is not None
            recipe["parser"] = digest_of_file(layout.parser_weights)
        return recipe
