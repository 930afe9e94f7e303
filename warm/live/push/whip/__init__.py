"""WHIP: publishing by WebRTC, with an offer that is sent by HTTP (RFC 9725)."""
