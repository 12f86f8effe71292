"""The command line: one file a group of commands."""

from __future__ import annotations

import os
import sys
import warnings

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C stopped: 128 and the number of SIGINT."""


def main() -> None:
    """Run ``promptlab``.

    Exit 0 done, 2 the input or the machine is to be mended, 1 work failed, 130 stopped by Ctrl-C.
    Waiting threads sleep instead of spinning, and tokenizers do not start threads of their own:
    beside another busy process either would cost far more than it gains.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from promptlab.cache import is_full
    from promptlab.cancellation import Cancelled
    from promptlab.cli.app import app
    from promptlab.cli.verbosity import Verbosity, set_verbosity
    from promptlab.errors import DataWarning, DiskError, PromptlabError

    set_verbosity(Verbosity.NORMAL)
    warnings.filterwarnings("ignore", category=DataWarning)  # commands tell them themselves
    try:
        app(prog_name="promptlab")
    except Cancelled as stop:
        print(f"Stopped: {stop}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except PromptlabError as error:
        _tell(error, str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if not is_full(error):
            raise
        place = error.filename or "the output"
        _tell(error, f"{place} cannot be written: the disk is full; make room")
        sys.exit(DiskError.exit_code)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _tell(error: Exception, message: str) -> None:
    """The message on standard error; the traceback before it for whoever asked for more."""
    import traceback

    from promptlab.cli.verbosity import Verbosity, verbosity

    if verbosity() == Verbosity.VERBOSE:
        traceback.print_exception(error)
    print(f"Error: {message}", file=sys.stderr)
