"""RTMP: the part of Adobe's protocol that a publisher needs."""
