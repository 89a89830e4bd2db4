"""The audit log as values: trees, proofs, checkpoints, segments, lines."""
