"""The HTTP side: one Flask blueprint a family of calls."""

VERSION = "0.1.0"
"""What `/health` says; the same as in pyproject.toml."""
