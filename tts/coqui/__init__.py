"""Voices of coqui-tts, the continuation of the package TTS; an optional installation."""
