"""Stable placement of a face: filters, tracking, fits and blending on plain arrays."""
