#!/bin/sh
# A program that does not want to end: `resume start examples/stubborn.sh --stop-timeout 2s`.
# It ignores SIGTERM, and so does the child it has: `resume stop stubborn` has to kill both, and says so.
trap '' TERM
echo "pid $$ ignores SIGTERM"
sleep 1000000 &
wait
