"""Lets tests import the modules of examples/access_logs as its scripts do."""

from __future__ import annotations

import sys
from pathlib import Path

ACCESS_LOGS = Path(__file__).parents[2] / "examples" / "access_logs"

sys.path.insert(0, str(ACCESS_LOGS))
