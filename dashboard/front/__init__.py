"""The server side of the web process: the event loop reads bodies and sends answers, bounded threads run Django.

docs/decisions/0007-the-event-loop-reads-and-threads-work.md says why, with what was measured.
"""
