"""The local view."""
