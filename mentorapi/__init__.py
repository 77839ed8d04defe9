"""Mentorship booking over HTTP."""
