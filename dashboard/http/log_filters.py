"""What the log leaves out."""

from __future__ import annotations

import logging


class WithoutTraceback(logging.Filter):
    """Keeps the line and leaves its traceback out: a refused request is no fault, and a stranger can send many."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info, record.exc_text = None, None
        return True
