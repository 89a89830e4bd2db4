"""Tests of vault.codec."""
