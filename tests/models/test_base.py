"""What all models share."""

from __future__ import annotations

import pytest

from promptlab.models.local import LocalModel


def test_members_as_the_version_before_called_them_warn(masked: LocalModel) -> None:
    with pytest.warns(DeprecationWarning, match="can is called capabilities now"):
        assert masked.can == masked.capabilities  # type: ignore[attr-defined]
    with pytest.warns(DeprecationWarning, match="cut is called truncate now"):
        assert masked.cut("the soup", 1) == "the"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        masked.no_such_name  # type: ignore[attr-defined]  # noqa: B018
