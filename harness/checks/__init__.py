"""Judges of whole histories.

Each says what holds, what does not, and what the history does not show.
"""
