"""Whisper tiny.en and base, run by ctranslate2, which is optional."""
