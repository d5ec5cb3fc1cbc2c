"""The form of the playground."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from traffic.playground.queries import Choices
from traffic.playground.sending import Ask

MOST_PROMPT = 20_000  # characters
MOST_ANSWER_TOKENS = 4_000


def one_newline(prompt: str) -> str:
    """A prompt as it is sent: a browser's form writes another end of lines than its script."""
    return prompt.replace("\r\n", "\n")


class PlaygroundForm(forms.Form):
    """One prompt, and who is to answer it."""

    first = forms.ChoiceField(label=_("Answered by"))
    second = forms.ChoiceField(required=False, label=_("Second target"))
    prompt = forms.CharField(
        max_length=MOST_PROMPT, strip=False, label=_("Prompt"), widget=forms.Textarea(attrs={"rows": 6})
    )
    answer_tokens = forms.IntegerField(
        min_value=1, max_value=MOST_ANSWER_TOKENS, initial=500, label=_("Longest answer, in tokens")
    )

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._models = choices.models
        first, second = self.fields["first"], self.fields["second"]
        assert isinstance(first, forms.ChoiceField) and isinstance(second, forms.ChoiceField)
        first.choices = choices.groups
        second.choices = [("", _("only one answer")), *choices.groups]

    def clean_prompt(self) -> str:
        return one_newline(self.cleaned_data["prompt"])

    def asks(self) -> list[Ask]:
        """What to send, of a valid form."""
        cleaned = self.cleaned_data
        targets = [target for target in (cleaned["first"], cleaned["second"]) if target]
        return [
            Ask(target, cleaned["prompt"], cleaned["answer_tokens"], self._models.get(target, "auto"))
            for target in targets
        ]
