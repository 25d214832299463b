"""The experiments, as values, and the command line that plays them."""
