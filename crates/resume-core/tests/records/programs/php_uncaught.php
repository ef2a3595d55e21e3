<?php
ini_set('display_errors', 'stderr'); ini_set('html_errors', '0'); ini_set('log_errors', '0');
fwrite(STDERR, "starting\n");
function read(string $path) { throw new RuntimeException("cannot read $path"); }
function load() { try { read('/nonexistent.ini'); } catch (Exception $e) { throw new LogicException('cannot load', 1, $e); } }
try { load(); } catch (Exception $e) { fwrite(STDERR, $e . "\n"); }
fwrite(STDERR, "going on\n");
load();
