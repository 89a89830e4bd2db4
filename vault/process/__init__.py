"""What every long-running process of ours does alike: stop, run alone, tell systemd, log."""
