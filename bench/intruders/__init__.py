"""Hostile files, addresses, names and clients, sent to a real server."""
