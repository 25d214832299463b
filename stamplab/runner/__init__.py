"""Plays scenarios on worlds and keeps the evidence."""
