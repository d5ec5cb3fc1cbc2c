"""What the gateway noted of a call besides its figures, in sentences. Pure."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

GUESSED = {
    "media": gettext_lazy("The task is a guess: the prompt carries an image or a file."),
    "thinking": gettext_lazy("The task is a guess: the call sets an amount of reasoning."),
    "code": gettext_lazy("The task is a guess: the prompt has code in it."),
    "sources": gettext_lazy("The task is a guess: the prompt brings its sources."),
    "turns": gettext_lazy("The task is a guess: the prompt is a conversation."),
    "question": gettext_lazy("The task is a guess: the prompt is one short question."),
}
TIMEOUTS = {
    "connect": gettext_lazy("The time to connect ended it."),
    "first_byte": gettext_lazy("The time to the first byte ended it."),
    "idle": gettext_lazy("The longest silence within an answer ended it."),
    "total": gettext_lazy("The time for the whole answer ended it."),
}
UPSTREAM = {
    "cancelled": gettext_lazy("The caller left, and the call was cancelled at the deployment."),
    "drained": gettext_lazy("The caller left, and the answer was read to its end for its usage."),
}


def gateway_facts(raw: Any) -> list[str]:
    """Why its task is a guess, which share or copy it was, what ended it. Words that are not known are left out."""
    if not isinstance(raw, dict):
        return []
    named = [(GUESSED, "guessed_task"), (TIMEOUTS, "timeout"), (UPSTREAM, "upstream")]
    sentences = [str(words[word]) for words, name in named if isinstance(word := raw.get(name), str) and word in words]
    if isinstance(canary := raw.get("canary"), str):
        sentences.append(_("It was in the share of the canary %(name)s.") % {"name": canary})
    if "hedged" in raw:
        sentences.append(_("Two equal deployments were called, and this is one of the two calls."))
    if "shadow_of" in raw:
        sentences.append(_("It is a copy for the shadow of its route. No caller got this answer."))
    return sentences
