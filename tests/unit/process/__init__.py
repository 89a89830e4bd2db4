"""What long-running processes do alike."""
