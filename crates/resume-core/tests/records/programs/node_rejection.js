console.error('worker 1 ready');
console.error({ level: 'info', msg: 'an object that needs several lines', list: Array.from({ length: 12 }, (_, i) => i * 1000000), nested: { a: { b: 1 } } });
console.error('worker 2 ready');
Promise.reject({ code: 42 });
