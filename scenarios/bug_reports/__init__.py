"""The public record: bug reports on swarm's updates, as scenarios that a lab plays."""
