"""``python -m lab.abra.standin`` is ``abra``."""

from lab.abra.standin.cli import main

if __name__ == "__main__":
    main()
