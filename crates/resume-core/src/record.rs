//! Which lines belong together: where a record starts in what a program writes.
//!
//! A record is one line, or a line with the lines that belong to it, such as a stack trace. The decision is made line by
//! line, for one stream of one instance, from the line itself, the line before it and a small state; never from what
//! comes after. So it does not depend on how the bytes happened to arrive, and takes time linear in their number.
//!
//! The rules are the table [`RULES`]: the first that fits a line decides, and a line that none fits starts a record.
//! `tests/records/` holds traces of real programs with the records expected of them.
//!
//! What the time has to say (a record is closed by 100 ms of silence) and the bound on a record's size are the log
//! store's, which calls
//! [`Splitter::close`].

/// What the lines so far have led to; it decides which rules apply to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// Nothing in particular.
    Plain,
    /// In a Python traceback, before the line that names the exception.
    PythonTrace,
    /// After that line.
    PythonEnd,
    /// In the blank line after that: a chained traceback may follow.
    PythonGap,
    /// After the sentence that chains two tracebacks.
    PythonChain,
    /// After the `file:line` of a node print-out: the source line comes next.
    NodeSource,
    /// After the source line: the carets come next.
    NodeCaret,
    /// After the carets: whatever was thrown.
    NodeThrown,
    /// In the stack of a node print-out.
    NodeTrace,
    /// In the blank line before its last line.
    NodeGap,
    /// After the first line of a Go panic or fatal error.
    GoPanic,
    /// In a Go stack.
    GoTrace,
    /// After a Rust panic's first line: the message comes next.
    RustPanic,
    /// After an error's first line, which may be followed by a blank line and its causes.
    Error,
    /// In a PHP stack, where a blank line and the next exception of a chain may follow.
    PhpTrace,
}

use State as S;

/// What a line must look like for a rule to apply. A line is judged without its line end and leading colours.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// Any line at all.
    Any,
    /// Nothing in it.
    Blank,
    /// It begins with a space or a tab.
    Indented,
    /// It begins with a closing bracket.
    Closing,
    /// It begins with these bytes.
    Prefix(&'static [u8]),
    /// Only carets and tildes, maybe indented, as under a source line.
    Carets,
    /// `at` and a place in a program: `at f (a.js:1:2)`.
    At,
    /// `... 12 more`.
    More,
    /// `/path/file.js:12` and no more.
    Place,
    /// `thread 'main' panicked at src/main.rs:2:5:`.
    RustPanic,
    /// `package.function(arguments)`.
    GoCall,
    /// `java.lang.IllegalStateException: text`: a dotted name that ends in `Exception` or `Error`.
    Exception,
    /// ``x.rb:3:in `read': text``.
    RubyPlace,
}

/// What the line before must look like.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// Anything.
    Any,
    /// It speaks of an error, as a log line does that a stack trace follows.
    Failure,
    /// It ends with these bytes.
    Suffix(&'static [u8]),
    /// It begins with these bytes.
    Prefix(&'static [u8]),
    /// It is the first line of two as Java's own logger writes them: a date, then `AM` or `PM`.
    JavaDate,
}

/// One line of the table.
struct Rule {
    /// In which states; empty for all.
    when: &'static [State],
    line: Line,
    before: Before,
    /// Whether the line starts a record.
    starts: bool,
    then: State,
}

const fn on(when: &'static [State], line: Line, starts: bool, then: State) -> Rule {
    Rule { when, line, before: Before::Any, starts, then }
}

const fn after(before: Before, line: Line, then: State) -> Rule {
    Rule { when: &[], line, before, starts: false, then }
}

const START: bool = true;
const CONTINUE: bool = false;

/// The table. Its order matters: the first rule that fits decides.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    // Node's print-out of what nobody caught: place, source, carets, (blank), error and stack, blank, version.
    on(&[S::NodeSource], Line::Any, CONTINUE, S::NodeCaret),
    on(&[S::NodeCaret], Line::Carets, CONTINUE, S::NodeThrown),
    on(&[S::NodeThrown, S::NodeTrace, S::NodeGap, S::Error], Line::Prefix(b"Node.js v"), CONTINUE, S::Plain),
    on(&[S::NodeThrown], Line::Prefix(b"    at "), CONTINUE, S::NodeTrace),
    on(&[S::NodeThrown], Line::Any, CONTINUE, S::NodeThrown),
    on(&[S::NodeTrace], Line::Indented, CONTINUE, S::NodeTrace),
    on(&[S::NodeTrace], Line::Closing, CONTINUE, S::NodeTrace),
    on(&[S::NodeTrace], Line::Blank, CONTINUE, S::NodeGap),
    on(&[], Line::Place, START, S::NodeSource),
    on(&[], Line::Prefix(b"[eval]:"), START, S::NodeSource),
    on(&[], Line::Prefix(b"(Use `node --trace-"), CONTINUE, S::Plain),
    // Deno names the error first.
    on(&[], Line::Prefix(b"error: Uncaught "), START, S::NodeSource),

    // Python: a traceback to its last line, and those that are chained to it.
    on(&[S::PythonTrace], Line::Indented, CONTINUE, S::PythonTrace),
    on(&[S::PythonTrace], Line::Any, CONTINUE, S::PythonEnd),
    on(&[S::PythonEnd], Line::Blank, CONTINUE, S::PythonGap),
    on(&[S::PythonGap], Line::Prefix(b"During handling of the above exception"), CONTINUE, S::PythonChain),
    on(&[S::PythonGap], Line::Prefix(b"The above exception was the direct cause"), CONTINUE, S::PythonChain),
    on(&[S::PythonChain], Line::Blank, CONTINUE, S::PythonChain),
    on(&[S::PythonChain], Line::Prefix(b"Traceback (most recent call last)"), CONTINUE, S::PythonTrace),
    on(&[S::PythonChain], Line::Prefix(b"  + Exception Group Traceback"), CONTINUE, S::PythonEnd),
    on(&[S::PythonEnd], Line::Indented, CONTINUE, S::PythonEnd),
    after(Before::Failure, Line::Prefix(b"Traceback (most recent call last)"), S::PythonTrace),
    after(Before::Failure, Line::Prefix(b"future: <Task "), S::Plain),
    on(&[], Line::Prefix(b"Traceback (most recent call last)"), START, S::PythonTrace),
    after(Before::Failure, Line::Prefix(b"  + Exception Group Traceback"), S::PythonEnd),
    on(&[], Line::Prefix(b"  + Exception Group Traceback"), START, S::PythonEnd),
    // A syntax error in the program itself is printed with no first line.
    on(&[S::Plain], Line::Prefix(b"  File \""), START, S::PythonTrace),

    // Go: a panic or fatal error, its goroutines, and the last word of `go run`.
    on(&[S::GoPanic, S::GoTrace], Line::Blank, CONTINUE, S::GoTrace),
    on(&[S::GoPanic, S::GoTrace], Line::Prefix(b"goroutine "), CONTINUE, S::GoTrace),
    on(&[S::GoPanic], Line::Prefix(b"[signal "), CONTINUE, S::GoPanic),
    on(&[S::GoPanic], Line::Indented, CONTINUE, S::GoPanic),
    on(&[S::GoTrace], Line::Indented, CONTINUE, S::GoTrace),
    on(&[S::GoTrace], Line::GoCall, CONTINUE, S::GoTrace),
    on(&[S::GoTrace], Line::Prefix(b"created by "), CONTINUE, S::GoTrace),
    on(&[S::GoTrace], Line::Prefix(b"...additional frames elided..."), CONTINUE, S::GoTrace),
    on(&[S::GoTrace], Line::Prefix(b"exit status "), CONTINUE, S::Plain),
    on(&[], Line::Prefix(b"panic: "), START, S::GoPanic),
    on(&[], Line::Prefix(b"fatal error: "), START, S::GoPanic),
    after(Before::Failure, Line::Prefix(b"goroutine "), S::GoTrace),
    on(&[], Line::Prefix(b"goroutine "), START, S::GoTrace),

    // Rust: a panic with its message and backtrace.
    on(&[S::RustPanic], Line::Any, CONTINUE, S::Plain),
    on(&[], Line::RustPanic, START, S::RustPanic),
    on(&[], Line::Prefix(b"note: run with `RUST_BACKTRACE="), CONTINUE, S::Plain),
    on(&[], Line::Prefix(b"note: Some details are omitted"), CONTINUE, S::Plain),

    // PHP: numbered frames, and the chain.
    on(&[S::PhpTrace], Line::Prefix(b"#"), CONTINUE, S::PhpTrace),
    on(&[S::PhpTrace], Line::Blank, CONTINUE, S::PhpTrace),
    on(&[S::PhpTrace], Line::Prefix(b"Next "), CONTINUE, S::PhpTrace),
    on(&[], Line::Prefix(b"Stack trace:"), CONTINUE, S::PhpTrace),

    // An error with its causes, as Rust's error libraries print it: blank lines stand between the parts.
    on(&[S::Error], Line::Blank, CONTINUE, S::Error),
    on(&[S::Error], Line::Indented, CONTINUE, S::Error),
    on(&[S::Error], Line::Prefix(b"Location:"), CONTINUE, S::Error),
    on(&[], Line::Prefix(b"Error: "), START, S::Error),
    on(&[], Line::Prefix(b"Caused by:"), CONTINUE, S::Error),
    on(&[], Line::Prefix(b"Stack backtrace:"), CONTINUE, S::Error),

    // What continues a record whatever it is.
    on(&[], Line::Prefix(b"stack backtrace:"), CONTINUE, S::Plain),
    on(&[], Line::Prefix(b"stack traceback:"), CONTINUE, S::Plain),
    on(&[], Line::Prefix(b"CallStack (from HasCallStack)"), CONTINUE, S::Plain),
    on(&[], Line::At, CONTINUE, S::Plain),
    on(&[], Line::More, CONTINUE, S::Plain),
    on(&[], Line::Indented, CONTINUE, S::Plain),
    on(&[], Line::Closing, CONTINUE, S::Plain),

    // What continues a record by what stands before.
    after(Before::Failure, Line::Exception, S::Error),
    after(Before::Failure, Line::Prefix(b"** ("), S::Plain),
    after(Before::Prefix(b"\tfrom "), Line::RubyPlace, S::Plain),
    after(Before::Suffix(b"    while executing"), Line::Prefix(b"\""), S::Plain),
    after(Before::Suffix(b"    invoked from within"), Line::Prefix(b"\""), S::Plain),
    after(Before::JavaDate, Line::Prefix(b"SEVERE: "), S::Plain),
    after(Before::JavaDate, Line::Prefix(b"WARNING: "), S::Plain),
    after(Before::JavaDate, Line::Prefix(b"INFO: "), S::Plain),
    after(Before::JavaDate, Line::Prefix(b"CONFIG: "), S::Plain),
    after(Before::JavaDate, Line::Prefix(b"FINE"), S::Plain),
];

/// The words by which a line before is known to speak of an error; compared without regard to case.
const FAILURE_WORDS: &[&[u8]] =
    &[b"error", b"exception", b"critical", b"fatal", b"fail", b"panic", b"severe", b"recovered", b"crash"];

/// How many bytes are kept of the line before.
const HEAD: usize = 160;

/// How many bytes of a line are looked at. What a line is does not depend on what lies beyond, nor on whether that has
/// arrived yet.
pub const LOOK: usize = 4096;

/// For each first byte of a line, and for each state, the rules that may apply, as a set of bits.
const BY_BYTE: [u128; 256] = {
    let mut sets = [0; 256];
    let mut byte = u8::MAX;
    loop {
        let mut index = 0;
        while index < RULES.len() {
            if RULES[index].line.may_begin_with(byte) {
                sets[byte as usize] |= 1 << index;
            }
            index += 1;
        }
        let Some(below) = byte.checked_sub(1) else { break };
        byte = below;
    }
    sets[ESCAPE as usize] = u128::MAX;
    sets
};

const BY_STATE: [u128; STATES] = {
    let mut sets = [0; STATES];
    let mut index = 0;
    while index < RULES.len() {
        let when = RULES[index].when;
        let mut state = 0;
        while state < STATES {
            let mut named = when.is_empty();
            let mut at = 0;
            while at < when.len() {
                named |= when[at] as usize == state;
                at += 1;
            }
            if named {
                sets[state] |= 1 << index;
            }
            state += 1;
        }
        index += 1;
    }
    sets
};

const STATES: usize = State::PhpTrace as usize + 1;
const _: () = assert!(RULES.len() <= 128, "the sets have 128 bits");

const ESCAPE: u8 = 0x1b;

impl Line {
    /// Whether a line that fits can begin with this byte, where an empty line counts as one that begins with a newline.
    const fn may_begin_with(self, byte: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Blank => matches!(byte, b'\n' | b'\r'),
            Self::Indented => matches!(byte, b' ' | b'\t'),
            Self::Closing => matches!(byte, b'}' | b']' | b')'),
            Self::Prefix(prefix) => byte == prefix[0],
            Self::Carets => matches!(byte, b' ' | b'\t' | b'^' | b'~'),
            Self::At => byte == b'a',
            Self::More => byte == b'.',
            Self::Place => matches!(byte, b'/' | b'f' | b'n'),
            Self::RustPanic => byte == b't',
            Self::GoCall | Self::Exception => byte.is_ascii_alphabetic(),
            Self::RubyPlace => byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'.' | b'<' | b'('),
        }
    }

    fn fits(self, line: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Blank => line.is_empty(),
            Self::Indented => matches!(line.first(), Some(b' ' | b'\t')),
            Self::Closing => matches!(line.first(), Some(b'}' | b']' | b')')),
            Self::Prefix(prefix) => line.starts_with(prefix),
            Self::Carets => line.contains(&b'^') && line.iter().all(|b| matches!(b, b' ' | b'\t' | b'^' | b'~')),
            Self::At => line.starts_with(b"at ") && (line.ends_with(b")") || ends_in_line_number(line)),
            Self::More => line.strip_prefix(b"... ").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit)),
            Self::Place => is_place(line),
            Self::RustPanic => {
                line.starts_with(b"thread '") && line.ends_with(b":") && contains(head(line), b" panicked at ")
            }
            Self::GoCall => is_go_call(line),
            Self::Exception => is_exception(line),
            Self::RubyPlace => contains(head(line), b":in `") || contains(head(line), b":in '"),
        }
    }
}

impl Before {
    fn fits(self, head: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Failure => FAILURE_WORDS
                .iter()
                .any(|word| head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))),
            Self::Suffix(suffix) => head.ends_with(suffix),
            Self::Prefix(prefix) => head.starts_with(prefix),
            Self::JavaDate => {
                const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
                head.get(..3).is_some_and(|month| MONTHS.chunks(3).any(|name| name == month))
                    && (contains(head, b" AM ") || contains(head, b" PM "))
            }
        }
    }
}

/// A line without its line end and without the colours before its first character.
fn bare(line: &[u8]) -> &[u8] {
    let line = &line[..line.len().min(LOOK)];
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    while let Some(sequence) = line.strip_prefix(&[ESCAPE, b'[']) {
        let digits = sequence.iter().take_while(|b| b.is_ascii_digit() || **b == b';').count();
        match sequence.get(digits) {
            Some(b'm') => line = &sequence[digits + 1..],
            Some(_) | None => break,
        }
    }
    line
}

fn head(line: &[u8]) -> &[u8] {
    &line[..line.len().min(HEAD)]
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

fn ends_in_line_number(line: &[u8]) -> bool {
    let digits = line.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && line[..line.len() - digits].ends_with(b":")
}

fn is_place(line: &[u8]) -> bool {
    // A dot or a scheme tells a file from a request path such as `/users:42`.
    let Some(file) = line.rsplitn(2, |b| *b == b':').nth(1).filter(|_| ends_in_line_number(line)) else { return false };
    let name = file.rsplit(|b| *b == b'/').next().unwrap_or_default();
    !file.contains(&b' ') && (file.starts_with(b"node:") || (is_absolute(file) && name.contains(&b'.')))
}

fn is_absolute(file: &[u8]) -> bool {
    file.starts_with(b"/") || file.starts_with(b"file:///")
}

fn is_go_call(line: &[u8]) -> bool {
    let name = line.iter().take_while(|b| !matches!(b, b' ' | b'(')).count();
    // A method's receiver stands in parentheses as well: `net/http.(*conn).serve(0xc000012345)`.
    line.get(name) == Some(&b'(') && line.ends_with(b")") && line[..name].contains(&b'.') || line.starts_with(b"panic(")
}

fn is_exception(line: &[u8]) -> bool {
    let name = line.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$')).count();
    let (name, rest) = line.split_at(name);
    (rest.is_empty() || rest[0] == b':')
        && (name.ends_with(b"Exception") || name.ends_with(b"Error"))
        && name.contains(&b'.')
}

impl Rule {
    fn fits(&self, line: &[u8], before: &[u8]) -> bool {
        // What is cheaper to find out is asked first: most lines fail here.
        match self.before {
            Before::Any => self.line.fits(line),
            Before::Failure => self.line.fits(line) && self.before.fits(before),
            Before::Suffix(_) | Before::Prefix(_) | Before::JavaDate => {
                self.before.fits(before) && self.line.fits(line)
            }
        }
    }
}

/// Finds where records start in one stream of one instance.
#[derive(Clone, Debug)]
pub struct Splitter {
    state: State,
    /// Whether a record is open that a line could continue.
    open: bool,
    /// The head of the last line.
    before: [u8; HEAD],
    before_len: u8,
}

impl Default for Splitter {
    /// Has seen nothing yet.
    fn default() -> Self {
        Self { state: S::Plain, open: false, before: [0; HEAD], before_len: 0 }
    }
}

impl Splitter {
    /// The lines of `text`, each with its newline and with whether it starts a record.
    ///
    /// The last may lack its newline; the rest of that line, when it comes, belongs to it and must not be given to the
    /// splitter. Lines that are not taken from the iterator were not seen.
    pub fn lines<'a>(&mut self, text: &'a [u8]) -> Lines<'_, 'a> {
        Lines { splitter: self, text, newlines: memchr::memchr_iter(b'\n', text), start: 0, before: None }
    }

    /// Closes the open record: the next line starts one, whatever it looks like.
    pub fn close(&mut self) {
        self.state = S::Plain;
        self.open = false;
        self.before_len = 0;
    }

    fn keep(&mut self, line: &[u8]) {
        let line = head(bare(line));
        self.before[..line.len()].copy_from_slice(line);
        self.before_len = u8::try_from(line.len()).unwrap_or(0);
    }

    /// Finds the rule for a line, enters its state and says whether the line starts a record.
    fn judge(&mut self, candidates: u128, line: &[u8], before: Option<&[u8]>) -> bool {
        let line = bare(line);
        // The colours are gone now, so that the first byte may be another one.
        let mut candidates = candidates & BY_BYTE[usize::from(line.first().copied().unwrap_or(b'\n'))];
        let kept = &self.before[..usize::from(self.before_len)];
        let before = before.map_or(kept, |line| head(bare(line)));
        while candidates != 0 {
            let rule = &RULES[candidates.trailing_zeros() as usize];
            if rule.fits(line, before) {
                self.state = rule.then;
                return rule.starts;
            }
            candidates &= candidates - 1;
        }
        self.state = S::Plain;
        true
    }
}

/// The lines of a text; see [`Splitter::lines`].
#[derive(Debug)]
pub struct Lines<'s, 'a> {
    splitter: &'s mut Splitter,
    text: &'a [u8],
    newlines: memchr::Memchr<'a>,
    start: usize,
    /// The line before is looked at in place; only the last one is copied, for the next text.
    before: Option<&'a [u8]>,
}

impl<'a> Iterator for Lines<'_, 'a> {
    type Item = (&'a [u8], bool);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let end = self.newlines.next().map_or(self.text.len(), |newline| newline + 1);
        let line = self.text.get(self.start..end).filter(|line| !line.is_empty())?;
        let candidates = BY_BYTE[usize::from(line[0])] & BY_STATE[self.splitter.state as usize];
        let starts = if candidates == 0 {
            self.splitter.state = S::Plain;
            true
        } else {
            self.splitter.judge(candidates, line, self.before)
        };
        let starts = starts || !self.splitter.open;
        self.splitter.open = true;
        self.before = Some(line);
        self.start = end;
        Some((line, starts))
    }
}

impl Drop for Lines<'_, '_> {
    fn drop(&mut self) {
        if let Some(line) = self.before {
            self.splitter.keep(line);
        }
    }
}
