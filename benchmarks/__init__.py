"""Measurements, as ratios of one run; never shipped, never asserted."""
