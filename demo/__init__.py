"""Four launches, guarded by the real function on a local stand-in of AWS: `python -m demo`."""
