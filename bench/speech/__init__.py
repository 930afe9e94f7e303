"""Measurements of voices: times of phonemes, intelligibility."""
