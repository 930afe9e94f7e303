"""Pushes: the live feed of a session, sent to servers by RTMP, SRT and WHIP."""
