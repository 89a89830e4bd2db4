"""The main job on real files, start to end, for whoever wants to see it before believing it."""
