"""The swarm's nouns and what was observed of them, as values."""
