import sys, warnings

print("starting", file=sys.stderr)
print("loaded 3 plugins", file=sys.stderr)
warnings.warn("this is old", DeprecationWarning, stacklevel=1)
warnings.warn("this is odd")

def inner():
    return {}["missing"]

def outer():
    try:
        inner()
    except KeyError:
        raise RuntimeError("cannot look it up")

def wrapped():
    try:
        outer()
    except RuntimeError as err:
        raise ValueError("bad request") from err

print("serving", file=sys.stderr)
wrapped()
