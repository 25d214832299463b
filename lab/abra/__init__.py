"""abra: its state folder, its stamp, and for now a stand-in for its deploy command."""
