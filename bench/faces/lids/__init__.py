"""Drawn lids against filmed ones: `python -m bench lids VIDEO`."""
