"""How much of anything the gateway takes: from callers, who hold a key at best, and from engines, which may be
somebody else's by now. Sizes are bytes, times seconds.
"""

from __future__ import annotations

MIB = 1024 * 1024

# Of a call.
MOST_BODY = 32 * MIB  # the Claude API's own limit
MOST_QUERY = 4 * 1024
MOST_MODEL = 200  # characters of the model's name asked for

# How fast a body must come: its first byte, then a thousandth of a MiB a second, then all of it.
FIRST_BYTE_S = 5.0
WINDOW_S = 5.0
WINDOW_BYTES = 5 * 1024
WHOLE_S, WHOLE_RATE = 30.0, 32 * 1024  # so long, and a second more for so many bytes that have come

# In memory at once.
PROCESS_BYTES = 256 * MIB  # of bodies, and of answers that are read whole
KEY_BYTES = 96 * MIB  # of one key's bodies
PROCESS_CALLS = 1_000  # below the server's own bound on connections, so that the refusal can be said
KEY_CALLS = 500

# Of calls that wait for a deployment with a limit, in this process.
QUEUE_CALLS = 100  # of one application at one deployment

# After a refusal that did not wait for the body.
DRAIN_S = 1.0
DRAIN_BYTES = MIB

# Of an answer.
MOST_ANSWER = 64 * MIB  # unstreamed, as it came and inflated
MOST_EVENT = 4 * MIB  # of a stream: one line, or one event; also what one piece may inflate to
MOST_READ = MIB  # a longer event passes unread
MOST_USAGE = 16 * 1024  # of a usage object that is kept
MOST_TEXT = 8 * MIB  # characters of a streamed answer's text that are kept
LARGE_ANSWER = MIB  # from here on an answer is counted in memory, and is passed on in pieces
PIECE = 256 * 1024

# Texts of finished calls that wait to be looked through; what comes on top is recorded without its text.
MOST_WAITING = 64 * MIB


class TooMuch(Exception):
    """An engine answers more than we take. The message names what, for the log."""
