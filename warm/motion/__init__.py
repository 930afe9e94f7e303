"""Head movements and blinks of a speaking face: which frame of the avatar is shown when."""
