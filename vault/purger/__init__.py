"""The purger: destroys quarantined data whose time is over, after checking signed records."""
