"""One engine in a process that lives for a whole run: jobs come on stdin, results go to stdout.

Each line of input is `{"jobs": [[number, graph], ...], "options": {...}, "jars": [...]}`; the
answer is one line: `{"results": {...}}` or `{"error": text}`. What else the engine prints goes to
stderr.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def main() -> None:
    """Serves until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from graph_builder import run_job

    for line in sys.stdin:
        request = json.loads(line)
        try:
            found = run_job(request["jobs"], request["options"], request["jars"])
            answer = {"results": found}
        except Exception as error:
            answer = {"error": "".join(traceback.format_exception(error))}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
