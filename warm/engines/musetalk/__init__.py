"""MuseTalk v1.5 behind `warm/engines/base.py`: diffusers networks, led by Whisper's hidden states.

`docs/musetalk-parity.md` tells what is faithful to the reference implementation and what differs.
"""
