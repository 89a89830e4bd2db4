"""The tests: unit (mirrors the paths), contract, promises, crash, golden, cli, tidy."""
