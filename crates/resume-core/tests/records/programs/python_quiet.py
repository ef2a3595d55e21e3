import sys
print("10.0.0.1 - - [22/Nov/2026 15:04:05] \"GET / HTTP/1.1\" 200 -", file=sys.stderr)
print("10.0.0.1 - - [22/Nov/2026 15:04:06] \"GET /x HTTP/1.1\" 404 -", file=sys.stderr)
raise SystemExit("no port given")
