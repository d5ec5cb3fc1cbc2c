#!/bin/sh
# Writes the three locks from pyproject.toml: base.txt (to run), demo.txt (and its engine), dev.txt (and all tools).
# One lock serves Python 3.11 to 3.13; it names no package index, so that whoever installs chooses.
set -eu
cd "$(dirname "$0")/.."
[ -x .venv-lock/bin/uv ] || {
    python3 -m venv .venv-lock
    .venv-lock/bin/pip install --quiet --disable-pip-version-check uv
}
compile() {
    output=$1
    shift
    .venv-lock/bin/uv pip compile pyproject.toml "$@" --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --override requirements/overrides.txt --no-header --no-annotate \
        --output-file "requirements/$output.txt"
}
compile dev --extra demo --extra dev ${LOCK_OPTIONS---upgrade}
# The smaller ones are parts of the first: the same versions, whatever is released meanwhile.
cp requirements/dev.txt requirements/demo.txt
compile demo --extra demo
cp requirements/demo.txt requirements/base.txt
compile base
