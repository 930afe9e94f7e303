"""Optional packages that judge voices, imported when a measurement needs them."""

import importlib
from types import ModuleType

REQUIREMENTS = "requirements-bench.txt"


class JudgeMissing(RuntimeError):
    """A package of requirements-bench.txt is not installed."""


def judge(module: str) -> ModuleType:
    """Import a module; raises JudgeMissing, which names the packages to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise JudgeMissing(
            f"this measurement needs the module {module}, which cannot be imported ({error}). "
            f"Install the judges with `pip install -r {REQUIREMENTS}`."
        ) from error
