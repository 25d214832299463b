"""The live world.

A real dockerd in swarm mode, in namespaces of its own, under real memory pressure.
"""
