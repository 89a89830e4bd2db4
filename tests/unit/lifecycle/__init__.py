"""The rules of a volume's life."""
