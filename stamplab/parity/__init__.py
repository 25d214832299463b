"""Whether the two worlds, and all engines, give a scenario the same history."""
