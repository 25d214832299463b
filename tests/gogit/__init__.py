"""go-git as a program: built here for the tests, and asked by them."""
