"""The daemon: protects volumes by their schedules; it can set aside, and destroys nothing."""
