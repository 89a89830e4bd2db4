"""The rules of a volume's life: deleting, undoing, keeping, purging. Pure: no I/O, no clock."""
