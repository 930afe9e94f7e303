"""What can be chosen about the neural engine. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warm.avatars.recipe import ENGINES
from warm.avatars.store import digest_of_file
from warm.engines.musetalk.decoders import DecoderKind, caution
from warm.engines.weights.errors import WeightsMissing
from warm.engines.weights.layout import Layout, find, mend
from warm.engines.weights.manifest import PARSER, TINY

Recipe = dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the engine: settings of the same names, explained in `warm/settings/fields.py`."""

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
    def fuses(self) -> bool:
        """Whether norms and sums are done by kernels of our own; a compiler writes better ones."""
        return self.fused_kernels and self.exact_savings and not self.compile_networks

    def layout(self) -> Layout:
        """Where the weights lie; raises WeightsError when what these options need is not there."""
        layout = find(self.models_dir)
        if self.face_mask == "parser" and layout.parser is None:
            raise WeightsMissing(
                f"face_mask = 'parser' needs a face parser in {self.models_dir / 'face-parsing'}, "
                "which is not there. Choose face_mask = 'landmarks', or: "
                f"{mend(self.models_dir, PARSER)}"
            )
        if self.decoder == "tiny" and layout.tiny is None:
            raise WeightsMissing(
                f"decoder = 'tiny' needs a tiny autoencoder in {self.models_dir / TINY.folder}, "
                f"which is not there. Choose decoder = 'full', or: {mend(self.models_dir, TINY)}"
            )
        return layout

    def decoder_facts(self) -> dict[str, str | None]:
        """Which decoder draws, and in what its pictures differ from the reference's."""
        return {"decoder": self.decoder, "decoder_note": caution(self.decoder)}

    def recipe(self, layout: Layout) -> Recipe:
        """All that changes what preparation makes of the same frames and landmarks.

        `decoder` does not: faces are encoded by the full autoencoder in any case.
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
