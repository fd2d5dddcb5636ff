"""Demonstrates the function with six launches on a local fake of AWS: `python -m demo`."""
