"""How DSPy writes values into prompts, reads them from replies, and signs what it saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.compat import changed_library_error, library_internal


def written_value(field: Any, value: Any) -> str:
    """A field's value as DSPy's own adapters write it."""
    return str(library_internal("dspy.adapters.utils", "format_field_value")(field, value))


def read_value(text: str, annotation: Any) -> Any:
    """A value of a type, as DSPy's own adapters read it from a text; raises what they raise."""
    return library_internal("dspy.adapters.utils", "parse_value")(text, annotation)


def with_prefixes(signature: Any, prefixes: Mapping[str, str]) -> Any:
    """The signature whose fields are written after these words (none may be given to a field)."""
    for name, prefix in prefixes.items():
        signature = signature.with_updated_fields(name, prefix=prefix)
        if signature.fields[name].json_schema_extra.get("prefix") != prefix:
            raise changed_library_error("dspy", "Signature.with_updated_fields(prefix=…)")
    return signature


def is_special_type(value: Any) -> bool:
    """Whether a value is one of DSPy's own types (an image, a history)."""
    return isinstance(value, library_internal("dspy.adapters.types", "Type"))


def dependency_versions() -> dict[str, Any]:
    """The versions that DSPy notes in a saved program."""
    found: dict[str, Any] = library_internal("dspy.utils.saving", "get_dependency_versions")()
    return found
