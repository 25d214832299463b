"""Public bug reports on updates of swarm services, and our own findings, as scenarios."""
