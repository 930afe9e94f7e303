"""MuseTalk v1.5 as a lip engine: diffusers networks driven by Whisper's hidden states.

`docs/musetalk-parity.md` lists what is faithful to the reference implementation and what differs.
"""
