"""What we know, in one SQLite file: a view of the store that can be rebuilt from it at any time."""
