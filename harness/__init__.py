"""What is on trial, and what judges it. Drives a world of the lab; imports no scenario."""
