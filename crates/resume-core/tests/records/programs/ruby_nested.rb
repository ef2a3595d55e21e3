$stderr.puts "booting"
def read(path) = File.read(path)
def load_settings
  read("/nonexistent.yml")
rescue Errno::ENOENT
  raise "cannot load the settings"
end
begin
  load_settings
rescue => e
  warn e.full_message(highlight: false)
end
warn "retrying"
load_settings
