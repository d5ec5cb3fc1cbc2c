"""The most SQL statements that a page, an address of the API or a named read may take, in one table.

A key is an address as a browser asks for it; what is in braces the test fills in. Words after an address say with which
data the number holds, where the same address has another number with other data. What is no address has a short name.
The test of a page takes its number from here with `ceiling`; tests/costs/test_page_statements.py visits every page of
costs that stands here without such words.

A number is only lowered. Who must raise one says in the commit which statement came in, and why none of those that the
page asks already can read the same. That a page takes as many statements for much as for little is compared in its own
test, which needs no number. A test may ask for exactly the number of a read; where it lists the statements one by one,
the number stands beside that list.
"""

from __future__ import annotations

# Session, person and what the head of each page says included.
CEILINGS = {
    # Overview. It shows the verdicts of Decide, and so reads the evidence of all four criteria (8 statements). Three
    # statements are of the month that closed, in the first five days of the next. One is the checklist of the set-up,
    # for those who can set things up. One is the saved views that are pinned. One is the newest trial, see Break-even.
    # One, as on Break-even and Decide, is how far raters of self-hosted answers agree: the share of acceptable answers
    # is read by task, and agreement only from answers that several people rated.
    "/": 46,
    "/views/": 8,
    # Providers.
    "/providers/": 17,
    "/providers/leases/": 20,
    "/providers/offers/": 15,
    "/providers/offers/watches/": 12,
    "/uptime/": 20,
    "/status/{page}/, its badge or its JSON, before it is kept": 12,
    # Requests and quality.
    "/requests/": 15,  # one for the automatic marks of its answers
    "/requests/{request}/ with five ratings": 12,
    "/requests/latency/": 28,
    "/quality/cost/": 25,  # scores of three kinds and their first tokens, the spend once, and the pairs
    # One reads how far raters agree, one the marks of rubrics, one the names that raters hide where a bias is shown,
    # and one whether there are so many ratings that a task calculates all this.
    "/quality/": 22,
    # One writes down that an answer was read, one reads the rubric of its task. Of a queue, two reserve the answer.
    "/quality/rate/": 11,
    "/quality/rate/ of a queue": 15,
    "/quality/rate/ of a queue, the next answer loaded ahead": 13,
    "a rating in a queue with the next answer loaded ahead": 18,
    "/quality/compare/": 18,  # one writes down that the answers were read, two reserve the pair
    "/quality/comparisons/": 10,
    "/settings/applications/ and /settings/keys/ together": 14,
    "/find/": 16,  # one read for each kind of name; the session where another page was visited last
    # Spend.
    "/spend/": 21,
    "/spend/ledger/": 13,
    "/spend/ledger/?category=upkeep&provider=anthropic&provenance=entered": 13,
    "/spend/bills/": 4,
    "/spend/bills/{bill}/": 4,
    "/spend/exports/": 5,  # one is the first month, since the files of each month are offered here
    "/spend/exports/add/folder/": 3,
    "/spend/exports/{export}/": 5,
    "/spend/reconciliation/": 14,
    "/spend/reconciliation/ of a month that a vendor billed": 26,
    "/spend/statements/": 12,
    "/spend/statements/ of a month with charges of owners": 30,
    "/spend/statements/statements.csv": 9,
    "/spend/statements/{last_month}/application/a0/": 9,
    "/spend/statements/{last_month}/application/a0/statement.csv": 9,
    "/spend/savings/": 6,  # one reads what the answer cache saved
    "/spend/savings/ with a finding": 9,
    "/spend/anomalies/": 5,
    "/spend/changes/": 13,
    "/spend/changes/?month={last_month}": 13,
    "/spend/units/": 18,
    "/spend/units/?month={last_month}": 18,
    "/spend/units/a0/users/": 7,
    "/spend/charges/": 8,
    "/spend/charges/add/": 4,
    "/spend/charges/{charge}/": 5,
    "/spend/charges/repeating/": 4,
    "/spend/rates/": 5,
    "/spend/sharing/": 11,
    "/providers/leases/{lease}/": 15,
    # Break-even. As on Decide and the Overview, one statement reads the pairs of answers that raters chose between.
    # Here, at Plan and at Decide one statement reads the newest trial, whose capacity the inputs take: no
    # other statement reads trials, and its row has to be there also where no deployment is listed.
    "/break-even/": 31,
    "/break-even/ with a backtest": 39,
    "/break-even/ with 12 offers and models": 34,
    "/break-even/break-even.json": 16,
    "/break-even/scenarios/": 4,
    "/break-even/research/": 19,
    "/break-even/research/ without traffic": 22,
    "/break-even/kept/": 15,
    "/break-even/kept/ with 9 scenarios": 24,
    # Plan.
    "/plan/": 28,
    "/plan/research/": 20,
    "/plan/phases/add/": 3,
    "/plan/phases/hybrid/": 4,
    "/plan/stages/add/": 3,
    "/plan/stages/s0/": 4,
    "/plan/budgets/add/": 4,
    "/plan/budgets/everything/": 5,
    "/plan/applications/a0/budgets/": 12,
    # Decide.
    "/decide/": 26,
    "/decide/ with 6 deployments that were rated": 28,
    "/decide/sizing/": 8,
    # Alerts.
    "/alerts/": 25,
    "/alerts/rules/": 19,
    "/alerts/rules/ with names of applications": 20,
    # The API.
    "/api/v1/alerts": 5,
    "/api/v1/scorecard": 19,
    "/api/v1/break-even for the second what-if": 2,
    # Reads that several pages share, and jobs in the background.
    "report of uptime": 5,
    "inputs of break-even": 10,  # one is the newest trial
    "users of an application": 4,
    "positions of 18 budgets": 26,  # one for the leases ahead of each
    "FOCUS export of a month": 15,
    "search for anomalies without its INSERTs": 16,
    "evaluation of rules of two shapes": 17,
    "findings of the kind unpriced": 3,
    "findings of any other kind": 12,
    "delivery of one message to a person": 13,  # from its claim to the yes that is written down
}


def ceiling(name: str) -> int:
    """The most statements of the address or the read NAME. Raises KeyError for a name that is not in the table."""
    return CEILINGS[name]
