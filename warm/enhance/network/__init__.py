"""The network of GFPGAN ("clean" variant), in torch: an encoder, and a decoder that it steers.

The modules have the names of the published checkpoint, whose tensors load without renaming.
"""
