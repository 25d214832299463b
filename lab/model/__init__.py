"""The model: what worlds, harness and judges speak of, as values."""
