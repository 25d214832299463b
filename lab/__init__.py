"""The apparatus: a private swarm, memory pressure, recipes and abra. Knows nothing of verdicts."""
