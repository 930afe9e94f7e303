"""The HTTP interface: one Flask blueprint per group of routes."""
