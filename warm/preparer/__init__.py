"""Preparation of avatars by a server: in a process of its own, with limits, progress and cancel."""
