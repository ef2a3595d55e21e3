#!/bin/sh
# Makes the traces of this folder again, by running the programs of `programs/` where their interpreter is installed.
# Needs a writable /srv/app, so that the same paths stand in every trace. Look at the difference before you keep it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p /srv/app && cd /srv/app || exit 1
cp "$here"/programs/* .

# trace NAME COMMAND…: keeps what the command writes to stderr. The install prefixes of version managers are made plain.
trace() {
    name=$1
    shift
    "$@" 2>&1 >/dev/null | sed -E 's:(/[^ "]*)?/(versions|toolchains)/[^/ "]+/lib:/usr/lib:g; s:/rustc/[0-9a-f]{40}:/rustc/hash:g' >"$here/$name.txt"
}

for name in node_uncaught node_throw_string node_rejection node_syntax node_assert node_json; do
    trace $name node $name.js
done
for name in python_chained python_logging python_group python_syntax python_quiet; do
    trace $name python3 $name.py
done
trace ruby_nested ruby ruby_nested.rb
trace perl_confess perl perl_confess.pl
trace php_uncaught php php_uncaught.php
trace lua_error lua5.4 lua_error.lua
for name in go_panic go_deadlock go_signal; do
    trace $name go run $name.go
done
rustc --edition 2024 -o rust_panic rust_panic.rs && trace rust_panic env -u RUST_BACKTRACE ./rust_panic
trace rust_backtrace env RUST_BACKTRACE=1 ./rust_panic
rustc --edition 2024 -o rust_error rust_error.rs && trace rust_error env -u RUST_BACKTRACE ./rust_error
javac Java.java && trace java_nested java Java
g++ -o cpp_terminate cpp_terminate.cpp && trace cpp_terminate ./cpp_terminate
trace bash_errors bash bash_errors.sh
trace tcl_error tclsh tcl_error.tcl
trace elixir_crash elixir elixir_crash.exs
