"""Restoration of faces: the restorers, the alignment of their crops, the network of GFPGAN."""
