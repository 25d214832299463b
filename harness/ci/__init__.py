"""The recipe CI on trial, by the report's names."""
