"""The stand-in for the heavy application: a small C program, how it is built, and its image."""
