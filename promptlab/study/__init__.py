"""Studies: many candidates, one labelled set, and honest numbers to decide between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.files.safe_yaml import parse_yaml
    from promptlab.files.yaml_dump import dump_yaml
    from promptlab.study.comparison import (
        SettingChange,
        StudyComparison,
        StudyComparisonPair,
        StudySummary,
    )
    from promptlab.study.decision.verdict import study_verdict
    from promptlab.study.estimate.cost_range import Estimate
    from promptlab.study.formatting import format_duration
    from promptlab.study.improvement import Improvement
    from promptlab.study.learning_curve.run import CurveRun
    from promptlab.study.lineage import LineageNode, group_by_parent
    from promptlab.study.run import StudyRun
    from promptlab.study.sensitivity.measure import measure_sensitivity
    from promptlab.study.sensitivity.result import Sensitivity
    from promptlab.study.spec.check import validate_study
    from promptlab.study.spec.curve_spec import CurveSpec
    from promptlab.study.spec.load import shipped_studies
    from promptlab.study.spec.policy import StudyPolicy
    from promptlab.study.spec.spec import StudySpec

__all__ = [
    "CurveRun",
    "CurveSpec",
    "Estimate",
    "Improvement",
    "LineageNode",
    "Sensitivity",
    "SettingChange",
    "StudyComparison",
    "StudyComparisonPair",
    "StudyPolicy",
    "StudyRun",
    "StudySpec",
    "StudySummary",
    "dump_yaml",
    "format_duration",
    "group_by_parent",
    "measure_sensitivity",
    "parse_yaml",
    "shipped_studies",
    "study_verdict",
    "validate_study",
]

_HOMES = {
    "CurveRun": "promptlab.study.learning_curve.run",
    "CurveSpec": "promptlab.study.spec.curve_spec",
    "Estimate": "promptlab.study.estimate.cost_range",
    "Improvement": "promptlab.study.improvement",
    "LineageNode": "promptlab.study.lineage",
    "Sensitivity": "promptlab.study.sensitivity.result",
    "SettingChange": "promptlab.study.comparison",
    "StudyComparison": "promptlab.study.comparison",
    "StudyComparisonPair": "promptlab.study.comparison",
    "StudyPolicy": "promptlab.study.spec.policy",
    "StudyRun": "promptlab.study.run",
    "StudySpec": "promptlab.study.spec.spec",
    "StudySummary": "promptlab.study.comparison",
    "dump_yaml": "promptlab.files.yaml_dump",
    "format_duration": "promptlab.study.formatting",
    "group_by_parent": "promptlab.study.lineage",
    "measure_sensitivity": "promptlab.study.sensitivity.measure",
    "parse_yaml": "promptlab.files.safe_yaml",
    "shipped_studies": "promptlab.study.spec.load",
    "study_verdict": "promptlab.study.decision.verdict",
    "validate_study": "promptlab.study.spec.check",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
