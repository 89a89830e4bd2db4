"""Tests of vault.repository."""
