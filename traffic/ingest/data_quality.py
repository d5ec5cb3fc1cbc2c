"""Flags of doubtful data; they stand in a request's raw record, under `doubts`."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

TEXT = "invalid_text"
CUT = "attributes_cut"
DEEP = "nested_too_deep"
NO_END = "no_end"
BACKWARDS = "negative_duration"
ENDLESS = "long_duration"
LATE_FIRST = "ttft_after_end"
NOT_A_COUNT = "not_a_count"
NO_INPUT = "input_missing"
NO_OUTPUT = "output_missing"
TOTAL = "total_differs"
PART = "part_exceeds_whole"
SHARED_ID = "response_id_of_two_applications"  # found when the row is read: either may have come first
NAMES = "too_many_names"  # as `traffic.ingest.cardinality` has it
# Of the gateway, which has these words of its own: it imports no Django.
UNCHECKED = "text_not_checked"
ANSWER_CUT = "answer_cut"
ANSWER_UNREAD = "answer_unread"

MEANINGS = {
    TEXT: _("Its text was not valid Unicode. Invalid parts are replaced."),
    CUT: _("It has more attributes than the limit. The rest was left out."),
    DEEP: _("Some values were nested too deep. They are left out."),
    NO_END: _("It has no end, so its latency is unknown."),
    BACKWARDS: _("It ends before it starts, so its latency is unknown."),
    ENDLESS: _("It lasts longer than a day, so its latency is unknown."),
    LATE_FIRST: _("Its first token comes after its end, so that time is left out."),
    NOT_A_COUNT: _("A token count is not a possible whole number, so its usage is unknown."),
    NO_INPUT: _("It has output tokens but no input tokens, so its usage is unknown."),
    NO_OUTPUT: _("It has input tokens but no output tokens, as after a broken stream. Its cost is a minimum."),
    TOTAL: _("Its total of tokens differs from the sum of its parts. The parts count."),
    UNCHECKED: _("Its texts could not be checked for personal data, so they were left out."),
    ANSWER_CUT: _("Its answer is longer than the limit. The rest was left out."),
    ANSWER_UNREAD: _("A part of its answer could not be read, so its usage may be unknown although it was reported."),
    PART: _("A part of its tokens is larger than the total. It is reduced to the total."),
    NAMES: _("Its application has more models, providers or errors a day than the limit. The raw data has the name."),
    SHARED_ID: _("Another application reported a request with the same response id. Each keeps its own row."),
}
