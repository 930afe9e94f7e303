"""The network of GFPGAN ("clean" variant) in torch: an encoder that steers a decoder.

The modules have the names of the published checkpoint, so its tensors load without renaming.
"""
