"""Avatars, lip engines and the render thread: all that keeps a talking head warm."""

VERSION = "0.1.0"
"""The version of Warmtalk; pyproject.toml reads it here."""
