"""Times of phonemes for audio whose text is known, by comparison with a voice that has times."""
