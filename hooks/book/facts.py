"""How facts are put into words, in either language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, stdev
from typing import Any

#: The words of data/schemas/model.json that readers see, in Chinese; in English they stand as they are.
CHINESE = {
    "text": "文本",
    "image": "图像",
    "audio": "音频",
    "video": "视频",
    "depth": "深度图",
    "action": "动作",
    "embedding": "向量",
    "open": "开放",
    "gated": "需申请",
    "closed": "不公开",
    "predecessor": "前身",
    "successor": "后继",
    "variant": "变体",
    "initialised-from": "由它初始化",
    "initialises": "用来初始化它",
    "component": "部件",
    "component-of": "是它的部件",
    "confused-with": "常被混淆",
    "contrast": "对照",
    "training": "训练",
    "evaluation": "评测",
}
#: ISO 3166-1 codes that occur in data/models/.
COUNTRIES = {"US": ("美国", "United States"), "CN": ("中国", "China")}


def title(question: dict[str, Any], language: str) -> str:
    """A question's title in the language."""
    return question.get(language, {}).get("title", question["id"])


def value_text(value: Any, language: str) -> str:
    """A fact's value as text: a list is joined, a `{zh, en}` pair gives the language's own."""
    if isinstance(value, dict):
        if language in value:
            return str(value[language])
        return " · ".join(str(part) for part in value.values())
    if isinstance(value, list):
        return ("、" if language == "zh" else ", ").join(value_text(part, language) for part in value)
    if value in COUNTRIES:
        return COUNTRIES[value][language == "en"]
    return CHINESE.get(value, str(value)) if language == "zh" else str(value)


def spread(values: Sequence[float]) -> str:
    """A figure over seeds: mean ± sample standard deviation; of one run its value alone."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{mean(values):.2f} ± {stdev(values):.2f}"


def brier(predictions: Iterable[dict[str, Any]]) -> float | None:
    """The mean of (probability - outcome)² over what was judged: 0 is perfect, 0.25 is a coin (Brier, 1950)."""
    outcomes = {"came-true", "failed"}
    scored = [
        (one["probability"] - (one["state"] == "came-true")) ** 2 for one in predictions if one["state"] in outcomes
    ]
    return mean(scored) if scored else None
