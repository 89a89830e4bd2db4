"""The rules of who may do what."""
