"""Preparation of action clips: films of the person that are shown in place of the idle loop."""
