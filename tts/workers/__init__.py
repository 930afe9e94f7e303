"""Processes that synthesize speech, and their counterparts in the server."""
