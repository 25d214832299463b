"""What a NixOS host tells about its own past: the generations of its system profile."""
