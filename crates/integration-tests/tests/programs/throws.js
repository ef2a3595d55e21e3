// Starts as a server does, then fails where nothing catches it.
'use strict';

console.log('about to fail');

function connect() {
  throw new Error('no such database');
}

setTimeout(connect, 1);
