"""The HTTP door: what a platform calls from its own delete endpoint. Rules are below, none here."""
