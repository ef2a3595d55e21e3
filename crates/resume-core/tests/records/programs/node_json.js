// JSON lines: one record each. Then pretty-printed JSON: one record.
for (let i = 0; i < 4; i++) console.error(JSON.stringify({ level: i === 2 ? 'error' : 'info', time: 1763825400000 + i, msg: `request ${i}`, err: i === 2 ? { stack: 'Error: x\n    at f (/srv/app/a.js:1:1)' } : undefined }));
console.error(JSON.stringify({ level: 'info', tags: ['a', 'b'], nested: { deep: [{ x: 1 }] } }, null, 2));
console.error(JSON.stringify([1, 2, { three: 3 }], null, 4));
console.error('done');
