"""Somebody else's recipe: the plays of the incident on it, and what is claimed of it."""
