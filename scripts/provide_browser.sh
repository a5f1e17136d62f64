#!/bin/sh
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs what shows pages to tests: playwright, and Chromium where none is on PATH: playwright's own, in the user's
# cache, or, where that cannot be had and root asks, as in a container, Debian's.

set -eu
cd "$(dirname "$0")/.."

UV_SYSTEM_CERTS=true uv pip install --quiet --no-config --require-hashes \
    --python .work/venv/bin/python --requirements requirements/browser.txt

for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
said=$(.work/venv/bin/playwright install chromium 2>&1) && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    said=$(export DEBIAN_FRONTEND=noninteractive
        { apt-get update && apt-get install --yes --no-install-recommends chromium; } 2>&1) && exit 0
fi
printf '%s\n' "$said" | tail -n 5 >&2
echo "The browser's tests need Chromium or Google Chrome on PATH: apt install chromium" >&2
exit 1
