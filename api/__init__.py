"""The HTTP side: one Flask blueprint a family of calls."""
