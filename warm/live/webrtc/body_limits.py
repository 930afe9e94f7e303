"""Limits of what viewers send by HTTP. The worker imports them, but none of aiortc."""

MAX_OFFER_BYTES = 64 << 10
MAX_FRAGMENT_BYTES = 16 << 10
"""A message with candidates that follow an offer."""
