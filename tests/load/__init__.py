"""How fast it is: benchmarks, and users for soak tests."""
