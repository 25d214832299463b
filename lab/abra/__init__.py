"""abra: its state folder, its stamp, a driver for its command line, and a stand-in."""
