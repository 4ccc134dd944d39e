"""From a script's text to its syntax tree."""

from __future__ import annotations

import ast
import warnings

from ttdirect.script.recipes.lines import BOM
from ttdirect.script.recipes.model import UnsureError


def parse(source: str) -> ast.Module:
    """Return the syntax tree of a script.

    Raises:
        UnsureError: It does not parse.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user's own business, such as "\d"
            tree = ast.parse(source.removeprefix(BOM))
            compile(tree, "script", "exec", dont_inherit=True)  # finds what the grammar allows
            return tree
    except SyntaxError as error:
        raise UnsureError(f"Python cannot read this script: {error.msg}.", error.lineno) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnsureError(f"Python cannot read this script: {error}.") from error
