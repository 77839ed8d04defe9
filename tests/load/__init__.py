"""Benchmarks, and users for soak tests."""
