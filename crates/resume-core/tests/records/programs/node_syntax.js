console.error('never printed');
const x = ;
