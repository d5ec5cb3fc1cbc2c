"""How many calls this process has under way at each target, for rules that choose the least busy one."""

from __future__ import annotations

from traffic.gateway.concurrency import FreeSlot
from traffic.gateway.routes import Target


class Running(dict[int, int]):
    """Calls by the target's id. For one event loop."""

    def enter(self, target: Target, free_slot: FreeSlot) -> FreeSlot:
        """Count a call until what is returned is called, which frees its slot too. A second call changes nothing."""
        key = target.id
        self[key] = self.get(key, 0) + 1
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self[key] -= 1
            free_slot()

        return leave
