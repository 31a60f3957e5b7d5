"""Filling holes: what a model thinks of missing pixels given those around them (section 3.4, equation 9)."""
