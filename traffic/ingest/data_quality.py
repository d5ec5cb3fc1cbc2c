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
    TEXT: _("Text in it was not valid Unicode; what was broken is replaced."),
    CUT: _("It has more attributes than are read; the rest was left out."),
    DEEP: _("Values in it were nested too deep to be read; they are left out."),
    NO_END: _("It has no end, so its latency is unknown."),
    BACKWARDS: _("It ends before it starts, so its latency is unknown."),
    ENDLESS: _("It lasts longer than a day, so its latency is taken as unknown."),
    LATE_FIRST: _("Its first token comes after its end, so that time is left out."),
    NOT_A_COUNT: _("A token count is not a whole number that can be, so its usage is unknown."),
    NO_INPUT: _("It tells output tokens but no input, so its usage is unknown."),
    NO_OUTPUT: _("It tells input tokens but no output, as a stream that broke does; its cost is at least this."),
    TOTAL: _("Its total of tokens is not what its parts add up to; the parts are kept."),
    UNCHECKED: _("Its texts could not be checked for what must not be kept, so they were left out."),
    ANSWER_CUT: _("Its answer is longer than what is kept of one; the rest was left out."),
    ANSWER_UNREAD: _("A part of its answer could not be read, so its usage may be unknown though it was told."),
    PART: _("A part of its tokens is larger than the whole that it belongs to; it is cut to fit."),
    NAMES: _(
        "Its application names more models, providers or errors a day than are told apart; the raw record has the name."
    ),
    SHARED_ID: _("Another application told of a request with the same response id; each of the two keeps its own row."),
}
