"""The picture of the demo avatar."""

from importlib.util import find_spec
from pathlib import Path

from warm.media.sniff import MediaError

DEMO_ID = "demo"
DEMO_PORTRAIT = Path("mpl-data", "sample_data", "grace_hopper.jpg")
"""In matplotlib's wheel: Grace Hopper, public domain, 512x600."""


def demo_portrait() -> Path:
    """The demo photo; finds matplotlib's files without importing matplotlib, which is slow."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise MediaError(
            "The demo portrait is part of matplotlib, which is not installed. "
            "Run `pip install matplotlib`."
        )
    return Path(spec.origin).parent / DEMO_PORTRAIT
