"""Films made by jobs: an avatar, a text or a recording, and the form of the file."""
