"""The tests; `PYTHON_PATH` is what our own Python needs in a process of its own.

A packaged Python has its libraries on that path, and nowhere else.
"""

import os
import sys
from pathlib import Path

PYTHON_PATH = os.pathsep.join((str(Path(__file__).parents[1]), *filter(None, sys.path)))
