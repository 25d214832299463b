"""The threads that record: each appends to the history, and its own loss as well."""
