"""``promptlab model``: list, check."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.endpoint_check import endpoint_lines, endpoint_row
from promptlab.cli.options import DEFAULT_MODEL, Device, Dtype, ModelOption, read_model_options
from promptlab.cli.output import Json, console, print_json, print_listing, printable

if TYPE_CHECKING:
    from promptlab.errors import InputError
    from promptlab.models.local import LocalModel

app = typer.Typer(help="The pinned models, and what a model can do here.", no_args_is_help=True)

_MEASURED_SECONDS = 1.0
_PROMPTS, _PROMPT_TOKENS, _NEW_TOKENS = 8, 64, 16
_THINKING = {
    "off": "off: the chat template is told so (thinking=true lets it reason before it writes)",
    "closed": "closed: the chat template opens it whatever it is told (thinking=true leaves it)",
    "on": "on where a reply is written; closed or off where answers are scored",
}
_WORDS = "a film about people who read long books on the train to the sea and back again"


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """The pinned models; any folder or Hugging Face id works, too."""
    from promptlab.files.cache import cache_dir, format_size
    from promptlab.models.builtin import BUILTIN_MODELS

    rows = [
        {
            "name": model.name,
            "family": model.family,
            "parameters": model.parameters,
            "download_bytes": model.asset.size,
            "size_bytes": model.size,
            "licence": model.licence,
            "cached": (cache_dir() / "models" / model.name).is_dir(),
            "default": model.name == DEFAULT_MODEL,
            "description": model.description,
            "source": model.source,
        }
        for model in BUILTIN_MODELS.values()
    ]
    if as_json:
        print_json(rows)
        return
    print_listing(
        ("name", "family", "parameters", "download", "on disk", "licence", "cached", "description"),
        [
            (
                model.name,
                model.family,
                f"{model.parameters / 1e6:.1f} M",
                format_size(model.asset.size),
                format_size(model.size),
                model.licence,
                "yes" if row["cached"] else "no",
                model.description,
            )
            for model, row in zip(BUILTIN_MODELS.values(), rows, strict=True)
        ],
        numbers=("parameters", "download", "on disk"),
    )


@app.command("check")
def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A pinned model, a folder, a GGUF file, a Hugging Face id, or remote:MODEL@URL.",
        ),
    ] = DEFAULT_MODEL,
    device: Device = "auto",
    dtype: Dtype = "auto",
    option: ModelOption = None,
    as_json: Json = False,
) -> None:
    """Load a model and say what it can do here, and how fast.

    A remote model is asked nine short questions, whose cost is told.
    """
    from promptlab.models.remote.endpoint import is_remote

    options = read_model_options(option)
    remote = is_remote(name, options.get("endpoint"))
    if options.keys() - {"thinking"} and not remote:
        raise _no_remote_model(options)
    row = _check_endpoint(name, options) if remote else _check_model(name, device, dtype, options)
    if as_json:
        print_json(row)
        return
    for key, value in endpoint_lines(row) if remote else _lines(row):
        typer.echo(f"{key:14} {printable(value)}")


def _no_remote_model(options: dict[str, Any]) -> InputError:
    from promptlab.errors import InputError

    return InputError(
        f"--model-option {', '.join(options)}: of these only remote models have options; name one "
        "as remote:MODEL@URL (a local model has thinking=true)"
    )


def _check_endpoint(name: str, options: dict[str, Any]) -> dict[str, Any]:
    with console(stderr=True).status("Asking the endpoint …"):
        return endpoint_row(name, options)


def _check_model(name: str, device: str, dtype: str, options: dict[str, Any]) -> dict[str, Any]:
    """Everything `model check` reports. Raises `WorkError` when the model computes no numbers."""
    import time

    with console(stderr=True).status(f"Loading {name} …") as status:
        started = time.perf_counter()
        # not from the pool, and without the features on disk: its work is to be measured
        from promptlab.models.loading import load

        model = load(name, device=device, dtype=dtype, cache=False, **options)
        seconds = time.perf_counter() - started
        network = model.engine.network
        status.update(f"Measuring {name} …")
        return {
            "name": model.name,
            "family": model.family,
            "parameters": sum(p.numel() for p in network.model.parameters()),
            "device": model.device,
            "dtype": model.dtype,
            "capabilities": sorted(model.capabilities),
            "max_tokens": model.max_tokens,
            "thinking": model.thinking,
            "fast_paths": {
                "shared_prefixes": model.engine.runner.can_share_prefixes,
                "slot_only_head": network.hooks.can_gather,
                "slot_features": network.head_is_linear,
            },
            "load_seconds": round(seconds, 3),
            "read_tokens_per_second": _reading_speed(model),
            "written_tokens_per_second": _writing_speed(model),
            "peak_bytes": model.usage.peak_bytes,
            "key": model.key,
        }


def _prompts(model: LocalModel, start: int) -> list[Any]:
    """Prompts of 64 tokens (or half the window), each in an order of its own: nothing is shared."""
    from promptlab.prompts.prompt import Prompt, Slot, Text

    words = _WORDS.split()
    limit = min(_PROMPT_TOKENS, model.max_tokens // 2)
    prompts = []
    for number in range(start, start + _PROMPTS):
        order = random.Random(number).choices(words, k=2 * _PROMPT_TOKENS)
        prompts.append(Prompt((Text(model.truncate(" ".join(order), limit)), Slot())))
    return prompts


def _reading_speed(model: LocalModel) -> float:
    """Tokens a second through the network when slots are read."""
    import math
    import time

    from promptlab.errors import WorkError

    found = model.fill(_prompts(model, 1), 1)  # warm-up
    if not all(math.isfinite(fill.probability) for row in found for fill in row):
        raise WorkError(
            f"{model.name} computes no finite numbers in {model.dtype} on {model.device}; try "
            "--dtype float32 or --device cpu"
        )
    tokens, started, turn = model.usage.computed_tokens, time.perf_counter(), 1
    while time.perf_counter() - started < _MEASURED_SECONDS:
        model.fill(_prompts(model, 1 + turn * _PROMPTS), 1)
        turn += 1
    seconds = time.perf_counter() - started
    return round((model.usage.computed_tokens - tokens) / seconds, 1)


def _writing_speed(model: LocalModel) -> float | None:
    """New tokens a second of one greedy reply; None for a model that cannot generate."""
    from promptlab.prompts.decoding import Decoding

    if "generate" not in model.capabilities:
        return None
    room = max(1, min(_NEW_TOKENS, model.max_tokens // 2 - 1))
    prompt = _prompts(model, 0)[:1]
    model.generate(prompt, Decoding(max_tokens=1))  # warm-up
    reply = model.generate(prompt, Decoding(max_tokens=room))[0]
    return round(reply.tokens_out / reply.seconds, 1)


def _lines(row: dict[str, Any]) -> list[tuple[str, str]]:
    from promptlab.files.cache import format_size

    paths = row["fast_paths"]
    written = row["written_tokens_per_second"]
    speed = f"{row['read_tokens_per_second']:,.0f} tokens/s read"
    return [
        ("model", row["name"]),
        ("family", f"{row['family']}, {row['parameters'] / 1e6:.1f} M parameters"),
        ("device", f"{row['device']}, {row['dtype']}"),
        ("can", ", ".join(row["capabilities"])),
        ("window", f"{row['max_tokens']:,} tokens"),
        *([] if row["thinking"] is None else [("reasoning", _THINKING[row["thinking"]])]),
        ("shared prefix", _yes_or_no(paths["shared_prefixes"], "every prompt is computed whole")),
        ("slot-only head", _yes_or_no(paths["slot_only_head"], "the head runs at every position")),
        ("slot features", _yes_or_no(paths["slot_features"], "new answers need the network again")),
        ("loaded in", f"{row['load_seconds']:.1f} s, {format_size(row['peak_bytes'])} at most"),
        ("speed", speed + ("" if written is None else f", {written:,.0f} tokens/s written")),
    ]


def _yes_or_no(holds: bool, otherwise: str) -> str:
    return "yes" if holds else f"no: {otherwise}"
