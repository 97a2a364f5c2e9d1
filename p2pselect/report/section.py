from typing import Any


def summary_section(*a: Any) -> str:
    return ""
