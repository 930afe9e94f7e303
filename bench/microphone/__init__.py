"""Talking to the page: a real Chromium whose microphone plays a file, recorded sample by sample."""
