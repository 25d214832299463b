"""The workload that stands for a heavy application: a small C program, its build, its image."""
