//! Which lines belong together: where a record starts in what a program writes.
//!
//! A record is one line, or a line with the lines that belong to it, such as a stack trace. The decision is made line by
//! line, for one stream of one instance, from the line itself, the line before it and a small state; never from what
//! comes after. So it does not depend on how the bytes happened to arrive, and takes time linear in their number.
//!
//! The rules are the table `RULES`: the first that fits a line decides, and a line that none fits starts a record.
//! `tests/records/` holds traces of real programs with the records expected of them.
//!
//! What the time has to say (a record is closed by 100 ms of silence) and the bound on a record's size are the log
//! store's, which calls
//! [`Splitter::close`].

mod rules;

use rules::{RULES, State, bare, candidates, head, is_plain, speaks_of_failure};

/// How many bytes are kept of the line before.
const HEAD: usize = 160;

/// How many bytes of a line are looked at. What a line is does not depend on what lies beyond, nor on whether that has
/// arrived yet.
pub const LOOK: usize = 4096;

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

/// Lines that each start a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainLines {
    /// How many there are.
    pub count: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The bytes of the last of them.
    pub last: usize,
}

impl Default for Splitter {
    /// Has seen nothing yet.
    fn default() -> Self {
        Self { state: State::Plain, open: false, before: [0; HEAD], before_len: 0 }
    }
}

impl Splitter {
    /// Says of the next line whether it starts a record.
    ///
    /// The line may have its newline or lack it. If it is not finished, what is missing belongs to it and must not be
    /// given to the splitter; it is then judged by its beginning, for which [`LOOK`] bytes are as good as all.
    pub fn line(&mut self, line: &[u8]) -> bool {
        let line = bare(line);
        let mut candidates = candidates(self.state, line.first().copied().unwrap_or(b'\n'));
        let mut verdict = (true, State::Plain);
        while candidates != 0 {
            let rule = &RULES[candidates.trailing_zeros() as usize];
            if rule.line.fits(line) && (!rule.after_failure || speaks_of_failure(self.before())) {
                verdict = (rule.starts, rule.then);
                break;
            }
            candidates &= candidates - 1;
        }
        let starts = verdict.0 || !self.open;
        self.state = verdict.1;
        self.open = true;
        self.keep(line);
        starts
    }

    /// Passes over the lines at the front of `text` of which a glance shows that each starts a record. The line after
    /// them is for [`Splitter::line`].
    ///
    /// It is for speed alone: most lines are of this kind.
    #[inline]
    pub fn plain_lines(&mut self, text: &[u8]) -> PlainLines {
        let mut plain = PlainLines::default();
        if self.state != State::Plain || !is_plain(text) {
            return plain;
        }
        for newline in memchr::memchr_iter(b'\n', text) {
            let end = newline + 1;
            plain = PlainLines { count: plain.count + 1, bytes: end, last: end - plain.bytes };
            if !is_plain(&text[end..]) {
                break;
            }
        }
        if plain.count > 0 {
            self.open = true;
            self.keep(bare(&text[plain.bytes - plain.last..plain.bytes]));
        }
        plain
    }

    /// Closes the open record: the next line starts one, whatever it looks like.
    pub fn close(&mut self) {
        self.state = State::Plain;
        self.open = false;
        self.before_len = 0;
    }

    fn before(&self) -> &[u8] {
        &self.before[..usize::from(self.before_len)]
    }

    fn keep(&mut self, line: &[u8]) {
        let line = head(line);
        self.before[..line.len()].copy_from_slice(line);
        self.before_len = u8::try_from(line.len()).unwrap_or(0);
    }
}
