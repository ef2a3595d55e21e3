// A server that logs, meets an error with a cause, and dies of a throw.
console.error('listening on http://127.0.0.1:3000');
console.error('GET / 200');
function load(path) {
  try {
    require('fs').readFileSync(path);
  } catch (cause) {
    throw new Error('cannot load the settings', { cause });
  }
}
try {
  load('/nonexistent.json');
} catch (err) {
  console.error(err);
}
console.error('GET /users 200');
console.error(new AggregateError([new Error('one'), new TypeError('two')], 'all failed'));
console.error('GET /crash 500');
setImmediate(() => load('/nonexistent.yaml'));
