"""Small damages to JSON values, safetensors files and folders, each with a label."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 7, 10**9, -(10**30), 10**400, 0.5, 1e308, float("nan"),
    float("inf"), "", "x", "../../etc/passwd", "/etc/passwd", "https://evil.example/x", "\ud800",
    "a\0b", "{mask}", "{{ 7 * 7 }}", "{% for x in range(9) %}", "y" * 100_000, [], {}, [[]], [None],
    {"a": {"b": []}}, ["x"] * 1000, "1", "nan", "this:Zen", "remote:x@http://127.0.0.1:9", [0] * 5,
)  # fmt: skip


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there is something within a JSON value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, part in items:
        yield (*place, key)
        yield from places(part, (*place, key))


def changed(value: Any, rng: random.Random) -> tuple[str, Any]:
    """A JSON value with one thing in it another, and what that is."""
    made = copy.deepcopy(value)
    known = list(places(made))
    if not known or rng.random() < 0.02:
        strange = rng.choice(STRANGE)
        return f"all = {strange!r:.40}", strange
    *way, last = rng.choice(known)
    owner = made
    for key in way:
        owner = owner[key]
    where = ".".join(map(str, (*way, last)))[:80]
    match rng.randrange(8):
        case 0:
            del owner[last]
            return f"no {where}", made
        case 1 if isinstance(owner, dict):
            owner[f"{last}x"] = owner.pop(last)
            return f"{where} renamed", made
        case 2:
            other = known[rng.randrange(len(known))]
            found = value
            for key in other:
                found = found[key]
            owner[last] = copy.deepcopy(found)
            return f"{where} = {'.'.join(map(str, other))[:60]}", made
        case 3 if isinstance(owner[last], int | float) and not isinstance(owner[last], bool):
            owner[last] = rng.choice([-owner[last], owner[last] + 1, owner[last] * 1000, 0.1, -1])
            return f"{where} = {owner[last]!r:.40}", made
        case 4 if isinstance(owner[last], list) and owner[last]:
            owner[last] = owner[last] * 2 if rng.random() < 0.5 else owner[last][:-1]
            return f"{where} of another length", made
        case 5:
            owner[last] = [owner[last]]
            return f"{where} in a list", made
        case _:
            owner[last] = rng.choice(STRANGE)
            return f"{where} = {owner[last]!r:.40}", made


def change_json(path: Path, rng: random.Random) -> str:
    """Change one thing in a JSON file, or two."""
    value = json.loads(path.read_text(encoding="utf-8"))
    labels = []
    for _ in range(1 + (rng.random() < 0.2)):
        label, value = changed(value, rng)
        labels.append(label)
    path.write_text(json.dumps(value), encoding="utf-8")
    return f"{path.name}: {'; '.join(labels)}"


def change_tensors(path: Path, rng: random.Random) -> str:
    """Change the header of a safetensors file, or flip bits of its numbers."""
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    if rng.random() < 0.5 or length + 8 >= len(data):
        header = json.loads(bytes(data[8 : 8 + length]))
        label, header = changed(header, rng)
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
        return f"{path.name} header: {label}"
    if rng.random() < 0.2:
        values = rng.choice([b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\x00\x00\x80\xff"])
        place = 8 + length + 4 * rng.randrange((len(data) - 8 - length) // 4)
        data[place : place + 4] = values
        path.write_bytes(data)
        return f"{path.name}: {values.hex()} at {place}"
    flips = rng.choice([1, 1, 8, 64])
    for _ in range(flips):
        data[rng.randrange(8 + length, len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return f"{path.name}: {flips} bits flipped"


def replace_file(path: Path, rng: random.Random, others: list[Path]) -> str:
    """Put something else in the place of a file."""
    content = path.read_bytes()
    remove(path)
    match rng.randrange(12):
        case 0:
            return f"{path.name}: none"
        case 1:
            path.write_bytes(b"")
            return f"{path.name}: empty"
        case 2:
            path.write_bytes(content[: rng.randrange(len(content) + 1)])
            return f"{path.name}: cut off"
        case 3:
            path.write_bytes(rng.randbytes(rng.choice([1, 8, 9, 200, 5000])))
            return f"{path.name}: noise"
        case 4:
            os.mkfifo(path)
            return f"{path.name}: a pipe"
        case 5:
            path.mkdir()
            return f"{path.name}: a folder"
        case 6:
            path.symlink_to(rng.choice([path, Path("/dev/zero"), Path("/nowhere"), path.parent]))
            return f"{path.name}: a link to {path.readlink()}"
        case 7:
            path.write_bytes(b'{"a": ' * 200_000)
            return f"{path.name}: deep"
        case 8:
            with path.open("wb") as stream:
                stream.write(content)
                stream.truncate(2**30)
            return f"{path.name}: a gigabyte"
        case 9:
            other = rng.choice(others)
            path.write_bytes(other.read_bytes())
            return f"{path.name}: {other.parent.name}/{other.name}"
        case 10:
            path.write_bytes(content.decode("latin-1").encode("utf-16"))
            return f"{path.name}: UTF-16"
        case _:
            data = bytearray(content)
            for _ in range(rng.choice([1, 4, 40])):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            return f"{path.name}: flipped"


def remove(path: Path) -> None:
    """Whatever is there is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def fresh_copy(source: Path, target: Path) -> Path:
    """A copy of a folder in the place of the last one."""
    remove(target)
    shutil.copytree(source, target)
    return target


def damage(folder: Path, rng: random.Random, others: list[Path]) -> tuple[str, Path]:
    """Damage one file of a folder: a label, and the file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = rng.choice(files)
    ways: list[Callable[[], str]] = [lambda: replace_file(path, rng, others)]
    if path.suffix == ".json":
        ways += [lambda: change_json(path, rng)] * 4
    if path.suffix == ".safetensors":
        ways += [lambda: change_tensors(path, rng)] * 3
    return rng.choice(ways)(), path
