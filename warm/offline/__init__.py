"""Films made at once from whole sound files or texts, without a server."""
