"""The threads that watch.

Each puts what it sees into the history, and says so when it cannot go on.
"""
