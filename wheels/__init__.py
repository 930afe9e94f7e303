"""Pinned wheels from a package index, fetched with progress and unpacked; never installed.

`fetch.fetch_wheels` is the entry point. Imports the standard library only.
"""
