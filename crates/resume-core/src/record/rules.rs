//! The table of rules, and what its columns mean.

use super::{HEAD, LOOK};

/// What the lines so far have led to; it decides which rules apply to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
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
    /// In a Ruby stack, which the error's cause may follow.
    RubyTrace,
    /// In a Tcl stack, before a quoted command.
    TclTrace,
    /// After the first of the two lines that Java's own logger writes: a level and the message come next.
    JavaLog,
}

use State as S;

/// What a line must look like for a rule to apply. A line is judged without its line end and leading colours.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line {
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
    /// `Nov 22, 2026 3:49:36 PM Java main`.
    JavaDate,
}

/// One line of the table.
pub(super) struct Rule {
    /// In which states; empty for all.
    when: &'static [State],
    pub(super) line: Line,
    /// Whether the line before must speak of an error, as a log line does that a stack trace follows.
    pub(super) after_failure: bool,
    /// Whether the line starts a record.
    pub(super) starts: bool,
    pub(super) then: State,
}

const fn on(when: &'static [State], line: Line, starts: bool, then: State) -> Rule {
    Rule { when, line, after_failure: false, starts, then }
}

const fn after_failure(line: Line, then: State) -> Rule {
    Rule { when: &[], line, after_failure: true, starts: false, then }
}

const START: bool = true;
const CONTINUE: bool = false;

/// The table. Its order matters: the first rule that fits decides.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
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
    after_failure(Line::Prefix(b"Traceback (most recent call last)"), S::PythonTrace),
    after_failure(Line::Prefix(b"future: <Task "), S::Plain),
    on(&[], Line::Prefix(b"Traceback (most recent call last)"), START, S::PythonTrace),
    after_failure(Line::Prefix(b"  + Exception Group Traceback"), S::PythonEnd),
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
    after_failure(Line::Prefix(b"goroutine "), S::GoTrace),
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

    // Ruby, Tcl, and the logger of Java: what comes next can only be told by what came before.
    on(&[], Line::Prefix(b"\tfrom "), CONTINUE, S::RubyTrace),
    on(&[S::RubyTrace], Line::RubyPlace, CONTINUE, S::RubyTrace),
    on(&[], Line::Prefix(b"    while executing"), CONTINUE, S::TclTrace),
    on(&[], Line::Prefix(b"    invoked from within"), CONTINUE, S::TclTrace),
    on(&[S::TclTrace], Line::Prefix(b"\""), CONTINUE, S::Plain),
    on(&[S::JavaLog], Line::Prefix(b"SEVERE: "), CONTINUE, S::Plain),
    on(&[S::JavaLog], Line::Prefix(b"WARNING: "), CONTINUE, S::Plain),
    on(&[S::JavaLog], Line::Prefix(b"INFO: "), CONTINUE, S::Plain),
    on(&[S::JavaLog], Line::Prefix(b"CONFIG: "), CONTINUE, S::Plain),
    on(&[S::JavaLog], Line::Prefix(b"FINE"), CONTINUE, S::Plain),
    on(&[], Line::JavaDate, START, S::JavaLog),

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

    after_failure(Line::Exception, S::Error),
    after_failure(Line::Prefix(b"** ("), S::Plain),
];

/// The words by which a line is known to speak of an error; compared without regard to case.
const FAILURE_WORDS: &[&[u8]] =
    &[b"error", b"exception", b"critical", b"fatal", b"fail", b"panic", b"severe", b"recovered", b"crash"];

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

/// For each first byte of a line the set of second bytes with which it is no plain line: a rule may apply to it in the
/// plain state. The rule for exceptions is left out; it would name every line that begins with a small letter.
const NOT_PLAIN: [[u64; 4]; 256] = {
    let mut sets = [[0; 4]; 256];
    let mut index = 0;
    while index < RULES.len() {
        let rule = &RULES[index];
        let applies = BY_STATE[S::Plain as usize] >> index & 1 == 1 && !matches!(rule.line, Line::Exception);
        let mut byte = 0;
        while byte < 256 && applies {
            if BY_BYTE[byte] >> index & 1 == 1 {
                let mut second = u8::MAX;
                loop {
                    if rule.line.may_go_on_with(second) {
                        sets[byte][second as usize / 64] |= 1 << (second % 64);
                    }
                    let Some(below) = second.checked_sub(1) else { break };
                    second = below;
                }
            }
            byte += 1;
        }
        index += 1;
    }
    sets[ESCAPE as usize] = [u64::MAX; 4];
    sets
};

const STATES: usize = State::JavaLog as usize + 1;
const _: () = assert!(RULES.len() <= 128, "the sets have 128 bits");

const ESCAPE: u8 = 0x1b;

/// The rules that may apply to a line that begins with this byte.
pub(super) fn candidates(state: State, first: u8) -> u128 {
    BY_BYTE[usize::from(first)] & BY_STATE[state as usize]
}

/// Whether a glance shows that no rule applies to a line in the plain state, so that it starts a record and leads
/// nowhere. `text` begins with the line.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    let Some(&first) = text.first() else { return false };
    let second = text.get(1).copied().unwrap_or(b'\n');
    let set = &NOT_PLAIN[usize::from(first)];
    set[usize::from(second / 64)] >> (second % 64) & 1 == 0 && !(first.is_ascii_lowercase() && may_be_exception(text))
}

/// Whether a text begins with two words joined by a dot, as a package and a class are.
fn may_be_exception(text: &[u8]) -> bool {
    let word = text.iter().take_while(|byte| is_word(**byte)).count();
    text.get(word) == Some(&b'.') && text.get(word + 1).is_some_and(|byte| is_word(*byte))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

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
            Self::GoCall => byte.is_ascii_alphabetic(),
            // A package's name; lines that begin with a level in capitals stay out of this.
            Self::Exception => byte.is_ascii_lowercase(),
            Self::JavaDate => matches!(byte, b'J' | b'F' | b'M' | b'A' | b'S' | b'O' | b'N' | b'D'),
            Self::RubyPlace => byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'.' | b'<' | b'('),
        }
    }

    /// Whether its second byte can be this one, if the first was right.
    const fn may_go_on_with(self, byte: u8) -> bool {
        match self {
            Self::Prefix(prefix) => prefix.len() < 2 || byte == prefix[1],
            Self::At => byte == b't',
            Self::More => byte == b'.',
            Self::RustPanic => byte == b'h',
            Self::JavaDate => matches!(byte, b'a' | b'e' | b'p' | b'u' | b'c' | b'o'),
            Self::Any
            | Self::Blank
            | Self::Indented
            | Self::Closing
            | Self::Carets
            | Self::Place
            | Self::GoCall
            | Self::Exception
            | Self::RubyPlace => true,
        }
    }

    pub(super) fn fits(self, line: &[u8]) -> bool {
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
            Self::JavaDate => is_java_date(head(line)),
        }
    }
}

/// A line without its line end and without the colours before its first character.
pub(super) fn bare(line: &[u8]) -> &[u8] {
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

pub(super) fn head(line: &[u8]) -> &[u8] {
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
    let name = line.iter().take_while(|byte| is_word(**byte) || **byte == b'.').count();
    let (name, rest) = line.split_at(name);
    (rest.is_empty() || rest[0] == b':')
        && (name.ends_with(b"Exception") || name.ends_with(b"Error"))
        && name.contains(&b'.')
}

fn is_java_date(head: &[u8]) -> bool {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    head.get(..3).is_some_and(|month| MONTHS.chunks(3).any(|name| name == month))
        && (contains(head, b" AM ") || contains(head, b" PM "))
}

pub(super) fn speaks_of_failure(head: &[u8]) -> bool {
    let says = |word: &&[u8]| head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    FAILURE_WORDS.iter().any(says)
}
