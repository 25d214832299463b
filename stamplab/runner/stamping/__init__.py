"""Plays stamping experiments."""
