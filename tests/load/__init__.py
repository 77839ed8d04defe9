"""How fast it is: a benchmark, and whole people for soak tests."""
