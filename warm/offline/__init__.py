"""Films rendered offline, from whole audio files or texts."""
