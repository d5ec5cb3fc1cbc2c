"""Fuzzing of a whole stack: mutated requests to every address as everybody, and what must hold meanwhile.

`manage.py fuzz` starts a demo company of its own in a network of its own that ends at loopback, sends it what no client
should send, and tells of every answer that is no answer: a 5xx but 503, silence, a slow `/healthz`, memory that grows,
a process that died. What is sent follows from the seed and the number of the case alone.
"""
