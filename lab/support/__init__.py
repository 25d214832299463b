"""Means that any part of the apparatus uses: processes, programs, builds, time."""
