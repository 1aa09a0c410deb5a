"""Lets the tests import what lies beside them; `env` and `collect` come from pyflink.testing."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
