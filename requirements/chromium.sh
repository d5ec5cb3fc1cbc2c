#!/bin/sh
# Installs Debian's Chromium unless there is one; the browser tests take it from PATH.
set -eu
if command -v chromium >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "Chromium is missing and this is no Debian: install it so that \`chromium\` is in PATH." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then root=; else root=sudo; fi
$root apt-get update --quiet
DEBIAN_FRONTEND=noninteractive $root apt-get install --yes --quiet --no-install-recommends chromium
