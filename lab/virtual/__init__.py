"""The virtual world: the real SwarmKit, stepped in virtual time by the program `swarmsim`."""
