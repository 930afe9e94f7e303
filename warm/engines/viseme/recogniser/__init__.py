"""Recogniser of the sounds of speech that can be seen on the lips, for speech without phonemes."""
