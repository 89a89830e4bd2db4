"""What tests of vault, and of stores and adapters made by others, build upon; no pytest inside."""
