#!/usr/bin/env bash
set -x
greet() { echo "hello $1" >&2; }
greet world
missing_command
cat /nonexistent
[ 1 -eq one ]
