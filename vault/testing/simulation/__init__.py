"""A seeded simulator: weeks of a vault's life, with everything that goes wrong, in a second."""
