"""The gateway's answer cache as people see it: what it saves, and how it is emptied."""
