"""The generations of a NixOS host's system profile."""
