#!/bin/sh
# usage: days.sh [PYTEST ARGUMENTS]    runs the tests on each of the days on which dates behave oddly (others: DAYS="...")
# faketime moves the clock of every process of a run alike: the tests, PostgreSQL, Valkey, workers, servers, browsers.
# Each moment is in UTC. A run takes minutes, so none begins shortly before midnight.
set -eu
cd "$(dirname "$0")/.."
if ! command -v faketime >/dev/null; then
    echo "These runs need the program faketime, which moves the clock of processes: make faketime" >&2
    exit 1
fi
# The 1st (of a year; after the shortest month), the 2nd, the last of a month, 29 February, and the hours in which
# New York (March, November) and Europe (March, October) have just changed their clocks.
DAYS=${DAYS:-"2027-01-01T00:20 2027-03-01T00:20 2027-03-02T00:20 2027-01-31T12:00 2028-02-29T12:00 \
    2027-03-14T07:10 2027-03-28T01:10 2027-10-31T01:10 2027-11-07T06:10"}
export TZ=UTC
# PostgreSQL ends no wait here, neither for a deadlock nor for its statement_timeout: its alarm interrupts a wait in which
# faketime shows the machine's own time, by which the alarm is years too early. Writers that race for the same rows, and
# a search before a locked table, would wait for ever; `make test` runs both.
RACE=tests/traffic/ingest/test_ownership.py::test_writers_that_race_for_one_id_stay_in_their_own_rows
LOCKED=tests/traffic/routes/test_dry_run.py::test_a_log_that_does_not_answer_in_time_ends_the_search

red=
for day in $DAYS; do
    echo "== $day"
    faketime "$(echo "$day" | tr T ' ')" .venv/bin/pytest --deselect "$RACE" --deselect "$LOCKED" "$@" || red="$red $day"
done
if [ -n "$red" ]; then
    echo "Red with the clock at:$red" >&2
    exit 1
fi
