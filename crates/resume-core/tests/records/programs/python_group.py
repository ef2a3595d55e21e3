import sys, traceback
print("before the group", file=sys.stderr)
def fail(kind, text):
    try:
        raise kind(text)
    except Exception as err:
        return err
try:
    raise ExceptionGroup("two went wrong", [fail(ValueError, "first"), fail(TypeError, "second")])
except ExceptionGroup:
    traceback.print_exc()
print("between", file=sys.stderr)
try:
    compile("x = (1,\n", "/srv/app/config.py", "exec")
except SyntaxError:
    traceback.print_exc()
print("recursion next", file=sys.stderr)
def deep():
    deep()
deep()
