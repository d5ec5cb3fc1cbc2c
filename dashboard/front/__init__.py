"""The door of the web process: bodies are read and answers sent on the event loop, Django works in bounded threads.

docs/decisions/0007-the-event-loop-reads-and-threads-work.md says why, with what was measured.
"""
