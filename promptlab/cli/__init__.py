"""The command line: one file a group of commands."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run ``promptlab``; exit 0 done, 2 the input or the machine is to be mended, 1 work failed.

    Waiting threads sleep instead of spinning, and tokenizers do not start threads of their own:
    beside another busy process either would cost far more than it gains.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from promptlab.cache import is_full
    from promptlab.cli.app import app
    from promptlab.errors import DiskError, PromptlabError

    try:
        app(prog_name="promptlab")
    except PromptlabError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if not is_full(error):
            raise
        place = error.filename or "the output"
        print(f"Error: {place} cannot be written: the disk is full; make room", file=sys.stderr)
        sys.exit(DiskError.exit_code)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
