"""Golden data of GFPGAN: seeded weights, inputs, and the outputs of the published network."""

import importlib.util
import json
import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from warm.enhance.network.config import NetworkConfig
from warm.enhance.network.network import GfpganNetwork

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "golden" / "gfpgan"
BOUND = 2e-5
"""Largest difference of pictures, heads and style codes of the small sets, from their README."""
FEATURE_BOUND = 3e-5
"""Largest difference of features inside the network."""
FULL_BOUND = 5e-5
"""Largest difference of the full set."""
STATISTICS_BOUND = 1e-4
"""Largest difference of the mean and standard deviation of the full picture."""
BATCH = {"small": 2}
"""Number of pictures of sets that have more than one."""


@dataclass(frozen=True)
class GoldenSet:
    """One configuration of the network: `small`, `plain`, `full`."""

    name: str
    folder: Path = FOLDER

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Configuration and table of the tensors."""
        content: dict[str, Any] = json.loads((self.folder / f"keys_{self.name}.json").read_text())
        return content

    @cached_property
    def recipe(self) -> ModuleType:
        """The module that makes weights and pictures from their names."""
        spec = importlib.util.spec_from_file_location("gfpgan_recipe", self.folder / "recipe.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @property
    def config(self) -> NetworkConfig:
        """The set's configuration, for Warmtalk's network."""
        given = self.facts["config"]
        return NetworkConfig(
            size=given["out_size"],
            style_size=given["num_style_feat"],
            channel_multiplier=given["channel_multiplier"],
            narrow=given["narrow"],
            mlp_layers=given["num_mlp"],
            input_is_latent=given["input_is_latent"],
            different_w=given["different_w"],
            sft_half=given["sft_half"],
        )

    @property
    def shapes(self) -> dict[str, list[int]]:
        """Name and shape of every tensor, in the order of the file."""
        return {name: shape for name, shape, *_ in self.facts["keys"]}

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The seeded tensors; raises ValueError if they are not those of the golden run."""
        made = self.recipe.weights(self.shapes)
        for name, _, _, checksum in self.facts["keys"]:
            if zlib.crc32(made[name].astype("<f4").tobytes()) != checksum:
                raise ValueError(f"{self.folder}/recipe.py makes other values of {name} here")
        return {name: torch.from_numpy(value) for name, value in made.items()}

    @cached_property
    def network(self) -> GfpganNetwork:
        """Warmtalk's network with the seeded weights."""
        with torch.device("meta"):
            network = GfpganNetwork(self.config)
        network.load_state_dict(self.weights, assign=True)
        network.use_channels_last()
        return network.eval()

    @cached_property
    def input(self) -> Tensor:
        """(b, 3, size, size) RGB, -1…1."""
        made = self.recipe.picture(self.name, 1 if self.name == "full" else 2, self.config.size)
        return torch.from_numpy(made[: BATCH.get(self.name, 1)])

    @cached_property
    def arrays(self) -> dict[str, Tensor]:
        """Outputs of the published network."""
        return load_file(self.folder / f"{self.name}_golden.safetensors")

    @property
    def statistics(self) -> dict[str, float]:
        """Mean, std, min and max of the picture, if the set has them."""
        content = json.loads((self.folder / f"{self.name}_stats.json").read_text())
        found: dict[str, float] = content["image"]
        return found


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest absolute difference; infinite if there is a NaN."""
    largest = (found.double() - expected.double()).abs().max().item()
    return float("inf") if math.isnan(largest) else largest
