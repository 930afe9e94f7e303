"""Measurements of conversations with a language model."""
