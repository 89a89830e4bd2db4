"""The command line as people and programs meet it: real processes, real stores."""
