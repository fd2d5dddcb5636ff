"""Demonstrates the function with four launches on a local fake of AWS: `python -m demo`."""
