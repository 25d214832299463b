"""``python -m stamplab.lab.abra.standin`` is ``abra``."""

from stamplab.lab.abra.standin.cli import main

if __name__ == "__main__":
    main()
