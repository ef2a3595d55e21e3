require Logger
IO.puts(:stderr, "starting")
Logger.error("plain error")
spawn(fn -> raise "in a process" end)
Process.sleep(100)
Logger.warn("going on")
Enum.map([1, 0], fn n -> div(1, n) end)
