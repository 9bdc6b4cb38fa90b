#!/usr/bin/env bash
# Runs the tests as an odd machine would: see `make hostile`. Words go to pytest, such as `-m slow`.
set -euo pipefail
cd "$(dirname "$0")/.."
python="$PWD/.venv/bin/python"
place=$(mktemp -d)
trap 'chmod -R u+w "$place"; rm -rf "$place"' EXIT

# A blank, a line feed, an emoji, and a byte that is no UTF-8.
work="$place/"$'odd \n \xf0\x9f\x98\x80 \xff folder'
mkdir -p "$work" "$place/home"
chmod a-w "$place/home"

ulimit -n 64
for home in unset read-only; do
    echo "== HOME $home"
    settings=(-u HOME -u XDG_CACHE_HOME LC_ALL=C LANG=C TMPDIR=/nowhere/at/all)
    if [ "$home" = read-only ]; then settings+=(HOME="$place/home"); fi
    env "${settings[@]}" "$python" -m pytest -q -p no:cacheprovider \
        --basetemp "$work/$home" "${@:--mnot slow}"
done
