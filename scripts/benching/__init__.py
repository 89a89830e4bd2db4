"""Measures vault, its peers and the machine beneath them; started by `scripts/bench`."""
