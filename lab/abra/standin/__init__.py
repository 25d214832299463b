"""The stand-in for abra: an executable with abra's command line, for where there is no abra."""
