"""The house rules, as tests: layers, libraries, sizes, names, documents."""
