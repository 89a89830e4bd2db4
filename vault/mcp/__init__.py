"""The door for agents: the Model Context Protocol, over a daemon's HTTP interface."""
