"""The report's claims: what is played for each, and how each is judged."""
