"""The command line: one file a group of commands."""

from __future__ import annotations

import os
import sys
import warnings
from typing import NoReturn

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
    from promptlab.cli.common_options import Verbosity, set_verbosity
    from promptlab.errors import DataWarning
    from promptlab.security.terminal import sanitize_streams

    set_verbosity(Verbosity.NORMAL)
    warnings.filterwarnings("ignore", category=DataWarning)  # commands tell them themselves
    with sanitize_streams():
        _run()


def _run() -> None:
    """The application, and what its errors come to."""
    from promptlab.cli.app import app
    from promptlab.errors import Cancelled, DiskError, InputError, PromptlabError
    from promptlab.files.cache import is_disk_full

    try:
        _check_texts()
        app(prog_name="promptlab")
    except Cancelled as stop:
        print(f"Stopped: {stop}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except PromptlabError as error:
        _print_error(error, str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if not is_disk_full(error):
            if error.filename is None:
                _report_crash()
            _print_error(error, f"{error.filename}: {error.strerror}; name another file or folder")
            sys.exit(InputError.exit_code)
        place = error.filename or "the output"
        _print_error(error, f"{place} cannot be written: the disk is full; make room")
        sys.exit(DiskError.exit_code)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception:
        _report_crash()


def _check_texts() -> None:
    """Refuse arguments, and variables of promptlab's, that are no UTF-8. Raises `InputError`."""
    from promptlab.files.settings import check_text

    for text in sys.argv[1:]:
        check_text(text, f"the argument {text!a:.80}")
    for name, value in os.environ.items():
        if name.startswith("PROMPTLAB_"):
            check_text(value, f"the variable {name}")


def _report_crash() -> NoReturn:
    """A fault of promptlab's own: its traceback, without secrets."""
    import traceback

    traceback.print_exc()
    sys.exit(1)


def _print_error(error: Exception, message: str) -> None:
    """The message on standard error; the traceback before it for whoever asked for more."""
    import traceback

    from promptlab.cli.common_options import Verbosity, verbosity

    if verbosity() == Verbosity.VERBOSE:
        traceback.print_exception(error)
    print(f"Error: {message}", file=sys.stderr)
