"""Shared fixtures: tiny real models in memory, a small task, a cache folder of the tests' own.

Shapes and types of the tensor code are checked at run time while the tests run.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # sums of several threads are not the same bits each time
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test may reach the hub

from jaxtyping import config, install_import_hook

install_import_hook(
    [
        "promptlab.engine",
        "promptlab.models",
        "promptlab.tuning",
        "promptlab.predictors.calibration",
        "promptlab.prompts.verbalizer",
    ],
    "beartype.beartype",
)

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest

pytest.register_assert_rewrite("tests.helpers")

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.prompts.jinja import isolated
from tests.helpers import tiny_models
from tests.helpers.tiny_models import Pair

if TYPE_CHECKING:
    from promptlab.models.local import LocalModel

hypothesis.settings.register_profile("any machine", deadline=None)  # busy ones are slow
hypothesis.settings.load_profile("any machine")

USERS_CACHE = os.environ.get("PROMPTLAB_CACHE")
"""Where the pinned models and data are kept, so that they are fetched once."""


def pytest_configure(config: pytest.Config) -> None:
    """Files go to the workers in our order: theirs puts files with few tests, if long, last."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
    # What it tells of data is looked at by the tests that are about it.
    config.addinivalue_line("filterwarnings", "ignore::promptlab.errors.DataWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files marked ``slow`` first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@contextmanager
def cache_at(folder: str | None) -> Iterator[None]:
    """PROMPTLAB_CACHE set to ``folder`` (unset for ``None``) for a while."""
    before = os.environ.pop("PROMPTLAB_CACHE", None)
    if folder is not None:
        os.environ["PROMPTLAB_CACHE"] = folder
    try:
        yield
    finally:
        os.environ.pop("PROMPTLAB_CACHE", None)
        if before is not None:
            os.environ["PROMPTLAB_CACHE"] = before


@pytest.fixture(scope="module", autouse=True)
def own_rendering() -> Iterator[None]:
    """An app that a module starts has templates rendered elsewhere; no later module does."""
    before = isolated._pool
    yield
    isolated._pool = before


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tests' cache folder, and no templates from the user's configuration."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["PROMPTLAB_TEMPLATES"] = str(folder / "no-templates")
    with cache_at(str(folder)):
        yield folder


@pytest.fixture(autouse=True)
def cache_of_this_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests with the marker ``default_model`` use the user's cache, the others ``own_cache``."""
    if request.node.get_closest_marker("default_model"):
        with cache_at(USERS_CACHE):
            yield
    else:
        yield


@pytest.fixture(scope="module", autouse=True)
def allowed_code(request: pytest.FixtureRequest) -> Iterator[None]:
    """Names lead to no code but that of the packages in the test module's ``ALLOWED_CODE``."""
    from promptlab.files import code_permission

    code_permission._allowed.clear()
    code_permission._given.clear()
    code_permission.allow_code(*getattr(request.module, "ALLOWED_CODE", ()))
    yield
    code_permission._allowed.clear()


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Every test starts from the same random state."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """No run-time checks of types, for tests of what users may give by mistake."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


def wrapped(pair: Pair, name: str, **options: Any) -> LocalModel:
    """A new `LocalModel` over a pair, with an engine and a store of its own."""
    from promptlab.models.loading import from_transformers

    return from_transformers(*pair, name=name, **options)


@pytest.fixture(scope="session")
def tiny_causal() -> Pair:
    """Llama: grouped-query attention, rotary positions, a start token, a chat template."""
    return tiny_models.llama()


@pytest.fixture(scope="session")
def tiny_gpt2() -> Pair:
    """GPT-2: learned positions, tied head, no special tokens around a text."""
    return tiny_models.gpt2()


@pytest.fixture(scope="session")
def tiny_sliding() -> Pair:
    """Mistral with a sliding window of eight tokens."""
    return tiny_models.mistral()


@pytest.fixture(scope="session")
def tiny_capped() -> Pair:
    """Gemma 2 with soft-capped logits and full attention."""
    return tiny_models.gemma2()


@pytest.fixture(scope="session")
def tiny_masked() -> Pair:
    """BERT with its masked-language-model head."""
    return tiny_models.bert()


@pytest.fixture(scope="session")
def tiny_roberta() -> Pair:
    """RoBERTa: byte-level BPE, a mask that takes the space before it."""
    return tiny_models.roberta()


@pytest.fixture(scope="session")
def tiny_seq2seq() -> Pair:
    """T5 with sentinels."""
    return tiny_models.t5()


@pytest.fixture(scope="session")
def tiny_bart() -> Pair:
    """BART: an encoder-decoder without sentinels."""
    return tiny_models.bart()


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Callable[..., LocalModel]:
    """``fresh("tiny_causal")`` wraps that fixture's pair anew: nothing cached, nothing counted."""

    def make(name: str, **options: Any) -> LocalModel:
        return wrapped(request.getfixturevalue(name), name, **options)

    return make


@pytest.fixture(scope="session")
def causal(tiny_causal: Pair) -> LocalModel:
    """`tiny_causal` as promptlab sees it."""
    return wrapped(tiny_causal, "tiny_causal")


@pytest.fixture(scope="session")
def gpt2(tiny_gpt2: Pair) -> LocalModel:
    """`tiny_gpt2` as promptlab sees it."""
    return wrapped(tiny_gpt2, "tiny_gpt2")


@pytest.fixture(scope="session")
def masked(tiny_masked: Pair) -> LocalModel:
    """`tiny_masked` as promptlab sees it."""
    return wrapped(tiny_masked, "tiny_masked")


@pytest.fixture(scope="session")
def seq2seq(tiny_seq2seq: Pair) -> LocalModel:
    """`tiny_seq2seq` as promptlab sees it."""
    return wrapped(tiny_seq2seq, "tiny_seq2seq")


@pytest.fixture(scope="session")
def default_model() -> LocalModel:
    """The default model in fp32; slot features are kept in memory alone."""
    from promptlab.models.loading import load

    with cache_at(USERS_CACHE):
        return load("smollm2-135m", device="cpu", dtype="float32", cache=False)


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[Pair], Path]:
    """Saves a pair as a model folder."""

    def save(pair: Pair, name: str = "model") -> Path:
        model, tokenizer = pair
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture(scope="session")
def task() -> Task:
    """A small sentiment task: 16 training, 12 dev and 12 test examples, half of them positive."""
    good = ("great", "good", "wonderful", "charming", "witty")
    bad = ("terrible", "bad", "awful", "dull", "loud")
    things = ("film", "movie", "plot", "soup")
    texts = {
        label: [f"the {thing} was {word} ." for word in words for thing in things]
        for label, words in (("negative", bad), ("positive", good))
    }
    pool = [
        Example(f"{label}-{number}", {"text": text}, label)
        for number in range(20)
        for label, text in ((label, texts[label][number]) for label in texts)
    ]
    return Task(
        "tiny-sentiment",
        tuple(pool[:16]),
        tuple(pool[16:28]),
        tuple(pool[28:]),
        labels=("negative", "positive"),
    )


@pytest.fixture(scope="session")
def workbench(
    own_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The address of the app over the default model, as ``promptlab ui`` serves it; its runs."""
    pytest.importorskip("gradio")
    from promptlab.ui.app import serve
    from tests.helpers.browser import free_port

    runs = tmp_path_factory.mktemp("workbench") / "runs"
    with cache_at(USERS_CACHE):
        app = serve(port=free_port(), models=["smollm2-135m", "bert-tiny"], runs=runs, block=False)
    yield app.local_url, runs
    app.close(verbose=False)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The machine's browser; tests of one file share it."""
    from tests.helpers import browser

    pytest.importorskip("playwright")
    if browser.CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (Debian's package: chromium)")
    with browser.chromium() as started:
        yield started


@pytest.fixture
def page(chromium: Any, workbench: tuple[str, Path]) -> Iterator[Any]:
    """A window of one user on the app; it must not complain, nor ask another host."""
    from tests.helpers.browser import opened

    with opened(chromium, workbench[0]) as shown:
        yield shown
