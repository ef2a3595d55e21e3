io.stderr:write("starting\n")
local function inner() error("no such key") end
local function outer() inner() end
local ok, trace = xpcall(outer, debug.traceback)
io.stderr:write(trace, "\n")
io.stderr:write("going on\n")
outer()
