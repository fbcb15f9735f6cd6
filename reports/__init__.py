"""WHAT WE LEARN: reads only."""
