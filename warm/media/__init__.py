"""Reading of photos, videos and audio files of every common format."""
