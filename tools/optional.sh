#!/usr/bin/env bash
# optional.sh TOOL COMMAND…: run the command where the tool is installed; say that it is skipped where it is not.
set -eu
tool=$1
shift
if command -v "$tool" >/dev/null 2>&1; then
  "$@"
else
  echo "skipped: $tool is not installed"
fi
