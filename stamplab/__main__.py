"""``python -m stamplab`` is ``stamplab``."""

import signal

# Until the command line takes over, Ctrl-C ends us without the traceback of some import.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from stamplab.entry import main

if __name__ == "__main__":
    main()
