"""Training of the recogniser that moves the lips of recordings: texts, speech, disturbances."""
