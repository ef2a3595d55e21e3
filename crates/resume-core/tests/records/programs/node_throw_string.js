console.error('about to throw');
throw 'not even an error';
