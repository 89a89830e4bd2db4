"""The audit log as values: entries, a Merkle tree over them, signed checkpoints. Pure."""
