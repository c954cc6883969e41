"""Pixels on disk and arrays in memory; knows nothing of networks."""
