"""Settings, avatars, lip engines, rendering and sessions."""

VERSION = "0.1.0"
"""The version of Warmtalk; pyproject.toml reads it here."""
