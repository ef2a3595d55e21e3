//! Signals by name and number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A signal that can be sent: 1 to 64. Its names and numbers are those of Linux on x86 and ARM, see signal(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(u8);

/// A text or number that is no signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown signal `{0}`, expected a name such as `SIGTERM` or `HUP`, or a number from 1 to 64")]
pub struct UnknownSignal(pub String);

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];
/// The first real-time signal that glibc leaves to programs.
const RTMIN: u8 = 34;
const MAX: u8 = 64;

impl Signal {
    /// Hang-up, 1.
    pub const HUP: Self = Self(1);
    /// Interrupt from the keyboard, 2.
    pub const INT: Self = Self(2);
    /// The one that cannot be refused, 9.
    pub const KILL: Self = Self(9);
    /// A write to a pipe that nobody reads, 13.
    pub const PIPE: Self = Self(13);
    /// The usual request to end, 15.
    pub const TERM: Self = Self(15);
    /// A child has ended, 17.
    pub const CHLD: Self = Self(17);
    /// Continue if stopped, 18.
    pub const CONT: Self = Self(18);

    /// The signal of this number, if it is one.
    pub fn from_number(number: i32) -> Option<Self> {
        u8::try_from(number).ok().filter(|n| (1..=MAX).contains(n)).map(Self)
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self.0.into()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0) - 1) {
            Some(name) => write!(f, "SIG{name}"),
            None if self.0 < RTMIN => write!(f, "{}", self.0),
            None if self.0 == RTMIN => f.write_str("SIGRTMIN"),
            None => write!(f, "SIGRTMIN+{}", self.0 - RTMIN),
        }
    }
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    /// Takes a name with or without `SIG`, in any case, or a number.
    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let unknown = || UnknownSignal(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return Self::from_number(number).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(rest) = name.strip_prefix("RT") {
            return real_time(rest).ok_or_else(unknown);
        }
        let index = match name {
            "IOT" => Some(5),
            "CLD" => Some(16),
            "POLL" => Some(28),
            _ => NAMES.iter().position(|known| *known == name),
        };
        index.and_then(|i| u8::try_from(i + 1).ok()).map(Self).ok_or_else(unknown)
    }
}

/// Reads what stands behind `SIGRT`: `MIN`, `MIN+3`, `MAX`, `MAX-2`.
fn real_time(text: &str) -> Option<Signal> {
    let number = if let Some(offset) = text.strip_prefix("MIN") {
        let offset = if offset.is_empty() { 0 } else { offset.strip_prefix('+')?.parse().ok()? };
        RTMIN.checked_add(offset)?
    } else {
        let offset = text.strip_prefix("MAX")?;
        let offset = if offset.is_empty() { 0 } else { offset.strip_prefix('-')?.parse().ok()? };
        MAX.checked_sub(offset)?
    };
    (RTMIN..=MAX).contains(&number).then_some(Signal(number))
}

impl TryFrom<String> for Signal {
    type Error = UnknownSignal;

    fn try_from(text: String) -> Result<Self, UnknownSignal> {
        text.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_by_name_in_any_case_with_or_without_sig_and_by_number() {
        for text in ["SIGTERM", "term", "sigTerm", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM));
        }
        assert_eq!("USR2".parse(), Ok(Signal(12)));
        assert_eq!("SIGRTMIN+1".parse(), Ok(Signal(35)));
        assert_eq!("SIGRTMAX".parse(), Ok(Signal(64)));
        for text in ["", "0", "65", "-1", "SIG", "NOPE", "SIGRTMIN+31", "SIGRTMIN-1", "SIGRT", "SIGRTMIN+999"] {
            assert_eq!(text.parse::<Signal>(), Err(UnknownSignal(text.into())));
        }
    }

    #[test]
    fn every_signal_reads_back_from_its_name() {
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
    }
}
