"""Webhooks: messages to addresses that clients name, sent when a job ends."""
