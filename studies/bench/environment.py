"""A separate Python environment for the unmodified OpenPrompt, built once under the cache folder.

OpenPrompt 1.0.1 needs a transformers of its own time, so as a speed peer it gets one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from promptlab.assets.fetch import OPENPROMPT, fetch_wheel
from promptlab.errors import WorkError
from promptlab.files.build_once import build_once
from promptlab.files.cache import cache_dir, print_to_stderr, require_disk_space

_OLD_STACK = (
    "transformers==4.39.3",
    "huggingface_hub<1.0",
    "datasets<5",
    "sentencepiece==0.2.3",
    "scikit-learn",
    "scipy",
    "pyarrow",
    "yacs",
    "nltk",
    "dill",
    "tensorboardX",
    "rouge==1.0.0",
    "tqdm",
)
_WANTED_BYTES = 4_000_000_000
_CHECK = "import openprompt, torch, transformers; print(torch.__version__)"


def openprompt_python() -> Path:
    """The Python of an environment that holds OpenPrompt 1.0.1 and the versions it works with.

    Built on first use with this Python's own pip and its settings (minutes, about 2 GB), the same
    torch release as here, and reused as long as the list of requirements stays the same. Raises
    ``WorkError`` with pip's last lines and the log's path when it cannot be built.
    """
    requirements = _requirements()
    folder = cache_dir() / "environments" / f"openprompt-{_digest(requirements)}"
    log = folder.with_suffix(".log")
    build_once(
        folder,
        lambda partial: _build(partial, requirements, log),
        purpose="Building OpenPrompt's environment",
    )
    return _python(folder)


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _requirements() -> list[str]:
    """Requirement lines: the torch that is installed here, and the old stack around it."""
    torch = importlib.metadata.version("torch").split("+")[0]
    return [f"torch=={torch}", *_OLD_STACK]


def _digest(requirements: list[str]) -> str:
    """A short name for these requirements under this Python."""
    text = "\n".join([sys.version.split()[0], sys.base_prefix, *requirements])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _build(folder: Path, requirements: list[str], log: Path) -> None:
    """Make the environment: the requirements by pip, then OpenPrompt from its verified wheel."""
    require_disk_space(folder.parent, _WANTED_BYTES, "Building OpenPrompt's environment")
    unpacked = fetch_wheel(OPENPROMPT)
    print_to_stderr(f"building OpenPrompt's environment in {folder.parent} (minutes)")
    log.unlink(missing_ok=True)
    python = str(_python(folder))
    _run([sys.executable, "-m", "venv", str(folder)], log)
    _run([python, "-m", "pip", "install", "--disable-pip-version-check", *requirements], log)
    # A path file instead of an installation: its own requirements cannot be met and are not
    # wanted, and these are the files whose hash was checked.
    (site,) = {*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")}
    (site / "openprompt.pth").write_text(f"{unpacked}\n", encoding="utf-8")
    _run([python, "-c", _CHECK], log)


def _run(command: list[str], log: Path) -> None:
    """Run one step, output to the log; a failure shows its last lines and where the rest is."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(command)}\n")
        stream.flush()
        try:
            code = subprocess.run(
                command, stdout=stream, stderr=stream, env=environment, check=False
            ).returncode
        except OSError as error:
            raise WorkError(f"cannot run {command[0]}: {error}") from error
    if code != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
        raise WorkError(
            f"OpenPrompt's environment could not be built (exit code {code}); the benchmark needs "
            f"the package registry once. Log: {log}\n{tail}"
        )
