#!/bin/sh
# usage: debian.sh PROGRAM    installs Debian's package of that name unless there is the program; the tests take it from PATH
set -eu
program=$1
if command -v "$program" >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "$program is missing and this is no Debian: install it so that it is in PATH." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then root=; else root=sudo; fi
$root apt-get update --quiet
DEBIAN_FRONTEND=noninteractive $root apt-get install --yes --quiet --no-install-recommends "$program"
