"""Tests of the store of uploads."""
