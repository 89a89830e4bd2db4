"""One test module for each module, by the same path."""
