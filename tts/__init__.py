"""Speech synthesis: text to sentences, sentences to audio with phonemes."""
