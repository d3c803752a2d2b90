"""The checker process: imports Great Expectations, then answers requests until its input ends."""

from __future__ import annotations

import os
import queue
import sys
import threading

from recovery.adapters.expectations.lean import imported
from recovery.adapters.expectations.messages import answer_line, read_request

_JUDGE = "recovery.adapters.expectations.suite"
# A judge of counts asks no database and no bucket, draws nothing and fits no curve: more than half of the library's start.
_WITHOUT = ("sqlalchemy", "boto3", "botocore")
_LATER = ("altair", "scipy.stats")


def main() -> None:
    """Answer one line of JSON for each line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the library prints; only answers may reach whoever asks
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    failing = imported(_JUDGE, "great_expectations", without=_WITHOUT, later=_LATER).failing

    while True:
        answers.write(answer_line(failing(read_request(requests.get()))) + "\n")
        answers.flush()


def _listen(requests: queue.Queue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)  # whoever started us is gone: stop in the middle of whatever it is


if __name__ == "__main__":
    main()
