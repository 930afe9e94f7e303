"""The lip engines by name. Only the chosen one is imported."""

from warm.engine import Engine

ENGINES = {"viseme": 5}
"""Every engine, with the version of what its `prepare` writes: a higher one makes avatars anew."""


def make_engine(name: str) -> Engine:
    """An engine, not yet loaded; raises ValueError for a name that is not in ENGINES."""
    if name == "viseme":
        from warm.viseme.engine import VisemeEngine  # noqa: PLC0415  only what the engine needs

        return VisemeEngine()
    raise ValueError(f"engine is {name!r}; allowed are {', '.join(map(repr, ENGINES))}.")
