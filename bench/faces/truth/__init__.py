"""Drawn mouths against the filmed ones: `python -m bench mouth-truth VIDEO`."""
