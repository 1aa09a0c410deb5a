"""Functions of matches that came to nothing; see :mod:`pyflink.cep`."""

from __future__ import annotations

from pyflink._not_yet import NOT_YET, placeholder_getattr

__all__ = sorted(NOT_YET[__name__])
__getattr__ = placeholder_getattr(__name__)
