#!/bin/sh
# usage: install.sh demo|dev    makes .venv and installs requirements/demo.txt or dev.txt, unless that is done already
set -eu
cd "$(dirname "$0")/.."
set_name=$1

say() { printf '%s\n' "$*" >&2; }

# Prints the first Python that will do. PYTHON=/path/to/python chooses one.
find_python() {
    no_venv=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        case $version in 3.11 | 3.12 | 3.13) ;; *) continue ;; esac
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
        no_venv="$no_venv $version"
    done
    if [ -n "$no_venv" ]; then
        say "Python$no_venv is here, but without its module venv. On Debian and Ubuntu: apt-get install python3-venv"
    else
        say "Breakeven needs Python 3.11, 3.12 or 3.13 and none was found" \
            "(python3 is $(python3 --version 2>/dev/null || echo missing))." \
            "On Debian 12 or newer and Ubuntu 24.04 or newer: apt-get install python3 python3-venv"
    fi
    exit 1
}

# What is installed is known by the lock it came from and the Python it is for.
wanted() { { cat "requirements/$1.txt"; .venv/bin/python -V; } | cksum; }

is_done() { [ -f ".venv/installed-$1" ] && [ "$(cat ".venv/installed-$1")" = "$(wanted "$1")" ]; }

if ! .venv/bin/python -c '' 2>/dev/null; then
    python=$(find_python)
    say "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
if ! is_done "$set_name"; then
    say "Installing the locked packages of requirements/$set_name.txt"
    rm -f .venv/installed-*
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes \
        --only-binary :all: -r "requirements/$set_name.txt"
    # Python 3.11 puts an old setuptools into a new .venv; nothing that we install asks for it.
    .venv/bin/python -m pip uninstall --quiet --disable-pip-version-check --yes setuptools
    # The packages of the demo are among those of development.
    [ "$set_name" = dev ] && wanted demo >.venv/installed-demo
    wanted "$set_name" >".venv/installed-$set_name"
fi
.venv/bin/python -m dashboard.static_files.collect
