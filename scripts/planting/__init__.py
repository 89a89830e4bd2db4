"""Bugs that would lose data, planted one at a time into a copy, to see who finds them."""
