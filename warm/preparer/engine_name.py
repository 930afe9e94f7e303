"""Engine factories by name, so that another process can call them."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from warm.engines.base import Engine
from warm.settings import Settings

EngineFactory = Callable[[Settings], Engine]
"""Makes an engine that is not loaded yet."""
MAIN_COPY = "warmtalk_program"
"""Name of the module under which the program of the server is imported in the other process."""


def name_of(factory: EngineFactory) -> dict[str, str | None]:
    """Return the name of a factory; raises ValueError unless it is at the top level of a module."""
    module, name = factory.__module__, factory.__qualname__
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if "<" in name or "." in name or (module == "__main__" and program is None):
        raise ValueError(
            f"engine is {module}.{name}; it must be a function at the top level of a module, "
            "because the process of a preparation calls it too"
        )
    return {"module": module, "name": name, "program": program}


def find_factory(named: dict[str, Any]) -> EngineFactory:
    """Return the factory of this name."""
    if named["module"] == "__main__":
        module = program_module(Path(named["program"]))
    else:
        module = importlib.import_module(named["module"])
    return cast(EngineFactory, getattr(module, named["name"]))


def program_module(path: Path) -> Any:
    """Import the server's program without running it as such."""
    spec = importlib.util.spec_from_file_location(MAIN_COPY, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MAIN_COPY] = module
    spec.loader.exec_module(module)
    return module
