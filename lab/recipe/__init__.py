"""Recipes: git repositories built reproducibly, their mirrors, and checkouts of them."""
