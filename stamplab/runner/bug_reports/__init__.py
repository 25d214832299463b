"""Plays bug reports and judges what became of them."""
