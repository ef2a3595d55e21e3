//! The name of a service, checked once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
pub const MAX_LEN: usize = 64;

/// A valid service name: 1 to 64 of `A-Z a-z 0-9 . _ -`, starting with a letter or digit, not digits alone, not `all`.
///
/// A name is also the name of the service's directory, so it can hold neither a slash nor a leading dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

/// Why a text is no service name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It has no character.
    #[error("a service name cannot be empty")]
    Empty,
    /// It has more than [`MAX_LEN`] bytes.
    #[error("a service name has at most {MAX_LEN} characters, this one has {0}")]
    TooLong(usize),
    /// It holds a character outside of the alphabet.
    #[error("a service name holds only letters, digits, `.`, `_` and `-`, not {0:?}")]
    Character(char),
    /// It starts with `.`, `_` or `-`.
    #[error("a service name starts with a letter or a digit")]
    Start,
    /// It would be read as a pid.
    #[error("a service name cannot be a number: numbers select by pid")]
    Number,
    /// It is `all`.
    #[error("a service cannot be named `all`: that word selects every service")]
    All,
}

impl ServiceName {
    /// Takes `text` as a name if it is one.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let Some(first) = text.chars().next() else {
            return Err(InvalidName::Empty);
        };
        if let Some(c) = text.chars().find(|c| !allowed(*c)) {
            return Err(InvalidName::Character(c));
        }
        if text.len() > MAX_LEN {
            return Err(InvalidName::TooLong(text.len()));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(InvalidName::Start);
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidName::Number);
        }
        if text == "all" {
            return Err(InvalidName::All);
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes a name of any text, such as a program's file stem: what is not allowed becomes `-`.
    ///
    /// A text with nothing to keep, a number and `all` get the prefix `service-`.
    pub fn clean(text: &str) -> Self {
        let mut cleaned = String::new();
        for c in text.chars() {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
                cleaned.push(c);
            } else if !cleaned.ends_with('-') {
                cleaned.push('-');
            }
            if cleaned.len() == MAX_LEN {
                break;
            }
        }
        let trimmed = cleaned.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches('-');
        Self::new(trimmed).unwrap_or_else(|_| {
            let mut prefixed = format!("service-{trimmed}");
            prefixed.truncate(MAX_LEN);
            Self(prefixed.trim_end_matches('-').to_owned())
        })
    }

    /// The same name with `-N` behind it, shortened where that would be too long.
    #[must_use]
    pub fn numbered(&self, n: u64) -> Self {
        let suffix = format!("-{n}");
        let mut stem = self.0.clone();
        stem.truncate(MAX_LEN - suffix.len());
        Self(stem + &suffix)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for ServiceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl TryFrom<String> for ServiceName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_checked_against_the_alphabet_and_the_reserved_words() {
        for good in ["web", "a", "0a", "my.app_2-x", "All", &"x".repeat(64)] {
            assert_eq!(ServiceName::new(good).map(String::from), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("", InvalidName::Empty),
            ("a/b", InvalidName::Character('/')),
            ("web:1", InvalidName::Character(':')),
            ("é", InvalidName::Character('é')),
            ("..", InvalidName::Start),
            ("-x", InvalidName::Start),
            ("123", InvalidName::Number),
            ("all", InvalidName::All),
        ] {
            assert_eq!(ServiceName::new(bad), Err(why), "{bad:?}");
        }
        assert_eq!(ServiceName::new(&"x".repeat(65)), Err(InvalidName::TooLong(65)));
    }

    #[test]
    fn a_file_stem_is_cleaned_into_a_name() {
        for (stem, name) in [
            ("server", "server"),
            ("my server (2)", "my-server-2"),
            ("42", "service-42"),
            ("all", "service-all"),
            ("日本", "service"),
            (".hidden", "hidden"),
        ] {
            assert_eq!(ServiceName::clean(stem).as_str(), name);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_cleaned_or_numbered_is_a_name(text in ".{0,100}", n in 2_u64..) {
            let name = ServiceName::clean(&text);
            prop_assert_eq!(ServiceName::new(name.as_str()), Ok(name.clone()));
            let numbered = name.numbered(n);
            prop_assert_eq!(ServiceName::new(numbered.as_str()), Ok(numbered));
        }
    }
}
