"""The command line: what it prints, and the status it leaves with."""
