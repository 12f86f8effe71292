"""A complete cache, damaged: the work that uses it has the result of an empty one."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from promptlab.assets import fetch
from promptlab.assets.fetch import Asset, Member, file_sha256
from promptlab.data.builtin import DATASETS, BuiltinDataset, data_files
from promptlab.engine.scoring.feature_store import FeatureStore
from promptlab.engine.scoring.request import ScoringContext, ScoringRequest
from promptlab.errors import AssetError, PromptlabError
from promptlab.files import file_hash
from promptlab.files.cache_contents import cache_parts
from promptlab.models import precision
from promptlab.models.builtin import BUILTIN_MODELS, BuiltinModel, model_folder
from promptlab.models.content_hash import weights_key
from promptlab.models.loading import from_transformers
from promptlab.models.precision import choose_dtype
from promptlab.models.processor import UNITS, Processor
from promptlab.models.remote.answer import CompletedRequest
from promptlab.models.remote.response_cache import ResponseCache
from tests.fuzz.harness import Attempt
from tests.helpers import tiny_models
from tests.helpers.damaged_files import flip_bits
from tests.helpers.forbidden_folders import unreadable

_NAME = "promptlab_fuzz_asset"
_KEYS = [hashlib.sha256(bytes([number])).digest() for number in range(40)]
_QUESTIONS = [
    ScoringRequest(ScoringContext((5, 6, number + 7)), ((8,), (9, 10), (11, 12, number + 4)))
    for number in range(12)
]


@dataclass(frozen=True)
class _Material:
    """What the work is done with, and what comes of it."""

    folder: Path
    model: Any
    cache: Path

    def work(self) -> dict[str, object]:
        """A small piece of everything that is kept."""
        folder = model_folder(_NAME, on_progress=_ignored)
        store = FeatureStore(self.cache / "features" / f"{self.model.key}.db")
        replies = ResponseCache(self.cache / "replies" / "endpoint.db")
        try:
            self.model.engine.store = store
            scores = [tuple(row.tolist()) for row in self.model.engine.score(_QUESTIONS)]
            said = _replies(replies)
        finally:
            self.model.engine.store = FeatureStore(None)
            store.close()
            replies.close()
        files = data_files(_NAME, on_progress=_ignored)
        return {
            "scores": scores,
            "replies": said,
            "weights": weights_key(str(folder)),
            "model": [(p.name, p.read_bytes()) for p in sorted(folder.glob("*.json"))],
            "dtype": choose_dtype("auto", torch.device("cpu")),
            "rows": {name: path.read_text("utf-8") for name, path in files.items()},
        }


def _unreachable(*_: object) -> None:
    raise AssetError("no network here")


def _ignored(_: str) -> None:
    """Progress is of no interest here."""


def _replies(store: ResponseCache) -> list[str]:
    """Forty replies; those that are not kept are asked for."""
    found = {
        key: answer
        for key, record in store.find(_KEYS).items()
        if (answer := CompletedRequest.from_record(record)) is not None
    }
    for key in _KEYS:
        if key not in found:
            found[key] = CompletedRequest(f"reply to {key.hex()}", "stop", 10, 2, 0.5)
            store.keep(key, found[key].record())
    return [found[key].text for key in _KEYS]


def _asset(folder: Path) -> tuple[Asset, Path]:
    """A wheel with rows and a model's settings."""
    content = {
        f"{_NAME}/rows.json": json.dumps([{"text": f"text {n}", "label": n} for n in range(50)]),
        f"{_NAME}/config.json": json.dumps({"hidden_size": 8}),
    }
    path = folder / f"{_NAME}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    members = (
        Member(name, hashlib.sha256(text.encode()).hexdigest()) for name, text in content.items()
    )
    asset = Asset(
        "promptlab-fuzz-asset", "1.0", file_sha256(path), 1000, 1000, "none", tuple(members)
    )
    return asset, path


def _material(folder: Path) -> _Material:
    """A model and a data set of a wheel that lies in the cache, as pinned ones do."""
    cache = folder / "cache"
    os.environ["PROMPTLAB_CACHE"] = str(cache)
    file_hash.SETTLED = -60.0
    asset, wheel = _asset(folder)
    (folder / "complete" / "wheels").mkdir(parents=True)
    wheel.rename(folder / "complete" / "wheels" / wheel.name)

    def save(source: Path, target: Path) -> None:
        for number in range(3):
            shutil.copy(source / _NAME / "config.json", target / f"{number}.json")
        (target / "model.safetensors").write_bytes(bytes(range(256)) * 80)

    def extract(source: Path) -> dict[str, list[dict[str, Any]]]:
        rows = json.loads((source / _NAME / "rows.json").read_text("utf-8"))
        return {"train": rows[:30], "test": rows[30:]}

    extracted = [
        json.dumps({"text": f"text {n}", "label": n}, ensure_ascii=False) + "\n" for n in range(50)
    ]
    sha256 = hashlib.sha256("".join([*extracted[30:], *extracted[:30]]).encode()).hexdigest()
    BUILTIN_MODELS[_NAME] = BuiltinModel(
        _NAME, "causal", 1, "none", "here", "tiny", asset, 1000, {}, save
    )
    DATASETS[_NAME] = BuiltinDataset(
        _NAME,
        "t",
        "rows",
        asset,
        "none",
        "here",
        ("text",),
        (),
        "accuracy",
        50,
        {},
        sha256,
        extract,
    )
    fetch.install = _unreachable
    precision.is_clearly_faster = lambda: True
    precision.this_processor = lambda: Processor("one with units for bf16", UNITS)
    model = from_transformers(*tiny_models.llama(), name="tiny", deterministic=True)
    return _Material(folder, model, cache)


def _cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size + 1))


def _emptied(path: Path, rng: random.Random) -> None:
    os.truncate(path, 0)


def _flipped(path: Path, rng: random.Random) -> None:
    flip_bits(path, rng, rng.choice([1, 5, 40, 400]))


def _zeroed(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    begin = rng.randrange(len(content) + 1)
    length = min(4096, len(content) - begin)
    content[begin : begin + length] = bytes(length)
    path.write_bytes(content)


def _garbage(path: Path, rng: random.Random) -> None:
    texts = [b"null", b"[]", b'{"a": NaN}', b"\xff\xfe", b"9" * 5000, b"SQLite format 3\x00", b"\n"]
    path.write_bytes(rng.choice([*texts, rng.randbytes(500)]))


def _folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    (path / "in" / "it").mkdir(parents=True)


def _pipe(path: Path, rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(rng.choice([path.name, "nowhere/at/all", "..", "/dev/null", "/dev/zero"]))


def _lost(path: Path, rng: random.Random) -> None:
    path.unlink()


def _beside(path: Path, rng: random.Random) -> None:
    other = path.with_name(path.name + rng.choice(["-wal", "-shm", "-journal", ".new", ".lock"]))
    other.unlink(missing_ok=True)
    rng.choice([_pipe, _folder, _garbage])(_touched(other), rng)


def _touched(path: Path) -> Path:
    if not path.exists():
        path.touch()
    return path


_OF_FILES = (
    _cut, _emptied, _flipped, _flipped, _flipped, _zeroed, _garbage, _folder, _pipe, _loop, _lost,
    _beside,
)  # fmt: skip


def _swapped(files: list[Path], rng: random.Random) -> None:
    one, other = rng.choice(files), rng.choice(files)
    content = other.read_bytes()
    other.write_bytes(one.read_bytes())
    one.write_bytes(content)


def _folder_replaced(folder: Path, rng: random.Random) -> None:
    shutil.rmtree(folder)
    rng.choice([Path.touch, os.mkfifo, lambda path: path.symlink_to(path.name)])(folder)


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """A few files or folders of the cache are damaged, and the work is done twice."""
    folder = Path(tempfile.mkdtemp(dir=folder))  # another one after a hang
    material = _material(folder)
    cache, complete = material.cache, folder / "complete"
    shutil.copytree(complete, cache)
    wanted = material.work()
    assert material.work() == wanted
    shutil.rmtree(complete)
    shutil.copytree(cache, complete)
    names = sorted(p.relative_to(complete) for p in complete.rglob("*"))
    files = [name for name in names if (complete / name).is_file()]
    folders = [Path(), *(name for name in names if (complete / name).is_dir())]
    # what the user has put there is the user's, and a lock is not looked into
    files = [name for name in files if name.parts[0] != "wheels" and name.suffix != ".lock"]
    assert {name.parts[0] for name in files} >= {"assets", "data", "features", "hashes", "models"}
    while True:
        seed = rng.randrange(2**32)
        label, damage = _damage(random.Random(seed), files, folders)
        yield label, _attempt(material, complete, damage, seed, wanted)


_Damage = Callable[[Path, random.Random, ExitStack], None]


def _damage(rng: random.Random, files: list[Path], folders: list[Path]) -> tuple[str, _Damage]:
    """One to four damages, and their description."""
    steps: list[tuple[str, _Damage]] = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.random()
        if kind < 0.75:
            name, how = rng.choice(files), rng.choice(_OF_FILES)
            steps.append((f"{name} {how.__name__}", _on_file(name, how)))
        elif kind < 0.85:
            pair = [rng.choice(files), rng.choice(files)]
            steps.append((f"{pair[0]} and {pair[1]} swapped", _on_pair(pair)))
        elif kind < 0.93:
            place = rng.choice([*files, *folders])
            steps.append((f"{place} may not be read", _forbidden(place)))
        else:
            place = rng.choice(folders)
            steps.append((f"{place} replaced", _on_folder(place)))

    def all_of_them(cache: Path, rng: random.Random, stack: ExitStack) -> None:
        for _, step in steps:
            step(cache, rng, stack)

    # in what may not be read nothing can be damaged
    forbidden = [step for step in steps if "may not" in step[0]][:1]
    steps = [step for step in steps if "may not" not in step[0]] + forbidden
    return "; ".join(label for label, _ in steps), all_of_them


def _on_file(name: Path, how: Callable[[Path, random.Random], None]) -> _Damage:
    def damage(cache: Path, rng: random.Random, stack: ExitStack) -> None:
        if (cache / name).is_file() and not (cache / name).is_symlink():
            how(cache / name, rng)

    return damage


def _on_pair(pair: list[Path]) -> _Damage:
    def damage(cache: Path, rng: random.Random, stack: ExitStack) -> None:
        there = [cache / name for name in pair]
        if all(path.is_file() and not path.is_symlink() for path in there):
            _swapped(there, rng)

    return damage


def _on_folder(place: Path) -> _Damage:
    def damage(cache: Path, rng: random.Random, stack: ExitStack) -> None:
        if (cache / place).is_dir() and not (cache / place).is_symlink():
            _folder_replaced(cache / place, rng)

    return damage


def _forbidden(place: Path) -> _Damage:
    def damage(cache: Path, rng: random.Random, stack: ExitStack) -> None:
        if os.access(cache / place, os.R_OK) and (cache / place).resolve() == cache / place:
            stack.enter_context(unreadable(cache / place))

    return damage


def _attempt(
    material: _Material, complete: Path, damage: _Damage, seed: int, wanted: dict[str, object]
) -> Callable[[], None]:
    def attempt() -> None:
        if material.cache.is_dir() and not material.cache.is_symlink():
            shutil.rmtree(material.cache)
        else:
            material.cache.unlink(missing_ok=True)
        shutil.copytree(complete, material.cache, symlinks=True)
        with ExitStack() as stack:
            damage(material.cache, random.Random(seed), stack)
            for _ in range(2):
                cache_parts()
                try:
                    found = material.work()
                except PromptlabError as error:
                    assert str(material.cache) in str(error), f"no file is named: {error}"
                    raise
                assert found == wanted, [name for name in wanted if found[name] != wanted[name]]

    return attempt
