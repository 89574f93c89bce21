#!/bin/sh
# Install what the tests of the app drive: Debian's chromium and chromium-driver. Nothing is done where they are there.
set -eu
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "The long tests of metalens app need the commands chromium and chromedriver, of one version, on the PATH." >&2
    echo "Install them by your system's package manager (Fedora: chromium chromedriver; Arch: chromium; macOS:" >&2
    echo "brew install --cask chromium chromedriver), or leave these tests out: make test." >&2
    exit 1
fi
run=""
if [ "$(id -u)" != 0 ]; then
    run="sudo"
    command -v sudo >/dev/null || { echo "Run as root: apt-get install chromium chromium-driver" >&2; exit 1; }
fi
$run apt-get update -qq
$run apt-get install -y -qq --no-install-recommends chromium chromium-driver
