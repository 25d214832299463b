"""The search for schedules that break a law: drawn by Hypothesis, played in virtual time."""
