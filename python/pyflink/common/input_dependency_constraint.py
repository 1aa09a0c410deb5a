"""InputDependencyConstraint."""

from __future__ import annotations

from enum import Enum

__all__ = ["InputDependencyConstraint"]


class InputDependencyConstraint(Enum):
    """When a task is scheduled with respect to its inputs. Without effect, as upstream."""

    ANY = 0
    ALL = 1
