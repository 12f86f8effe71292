"""``python -m promptlab``: the command line.

Python puts the current folder first on the path of modules for ``-m``. It is taken off, so that a
file beside somebody's study, such as ``torch.py``, is never imported in a library's place.
"""

import sys
from pathlib import Path

if not sys.flags.safe_path and sys.path and sys.path[0] in ("", str(Path.cwd())):
    del sys.path[0]

from promptlab.cli import main

if __name__ == "__main__":
    main()
