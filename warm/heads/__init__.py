"""Several servers that share one results folder: which of them exist, and which has a session."""
