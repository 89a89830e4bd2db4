"""The protocol as a model that spin checks, and what it has in common with the code."""
