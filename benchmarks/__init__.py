"""Races against what one would otherwise use; see README.md."""
