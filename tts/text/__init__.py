"""Text for voices: markup, sentences, what may be spoken."""
