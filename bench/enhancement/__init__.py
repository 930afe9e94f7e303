"""Measurements of enhanced films."""
