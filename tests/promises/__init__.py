"""The promises: a test or more for each, named after it."""
