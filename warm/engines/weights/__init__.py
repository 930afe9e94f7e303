"""Weights of the neural engine: manifest, layout on disk, download and verification."""
