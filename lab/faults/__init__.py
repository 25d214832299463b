"""Faults as values: what disturbs a deployment; each world performs them."""
