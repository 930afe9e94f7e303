"""Text for voices: markup, sentences, words and speakable characters."""
