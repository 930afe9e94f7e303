"""Simulation of many heads and GPUs from measured costs."""
