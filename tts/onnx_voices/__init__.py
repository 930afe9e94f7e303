"""Voices in ONNX files: Piper's and Kokoro's networks."""
