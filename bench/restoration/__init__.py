"""Measurements of the restoration of faces."""
