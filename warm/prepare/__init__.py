"""Preparation of avatars from photos and videos."""
