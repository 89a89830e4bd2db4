"""Soak: hours of daemon, purger and collector on a real server, with time that flies and kills."""
