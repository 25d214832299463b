"""C2: abra stamps what is checked out. Experiments in scratch ABRA_DIRs, without any daemon."""
