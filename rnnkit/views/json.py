"""The JSON document of a view."""

import json
import math
from typing import Any

from rnnkit.views.view import View


def render(view: View) -> str:
    """Return the document of a view as JSON text."""
    return dumps(view.document)


def dumps(document: Any) -> str:
    """Return a document as JSON text; NaN and infinities, which JSON lacks, become null."""
    return json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value
