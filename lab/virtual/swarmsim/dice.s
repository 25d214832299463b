// An empty file: it allows functions without a body (see dice.go).
