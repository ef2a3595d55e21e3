//! Files of environment variables.
//!
//! ```text
//! # a comment
//! PORT=3000
//! export NAME = some words          # a comment, for a blank is before it
//! LITERAL='as it stands: $HOME \n'
//! ESCAPED="two\nlines, \"quoted\""
//! ```
//!
//! Values are texts: no variable is put in, no command is run. A quoted value may go on over several lines.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use resume_client::home::describe;

use crate::error::{CliError, Result};

/// Reads a file; the first thing wrong with it is an error with its line.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, OsString)>> {
    let text = std::fs::read(path).map_err(|error| {
        CliError::usage(format!("reading the environment file `{}`: {}", path.display(), describe(&error)))
    })?;
    parse(&text).map_err(|(line, message)| CliError::usage(format!("{}:{line}: {message}", path.display())))
}

fn parse(text: &[u8]) -> std::result::Result<Vec<(String, OsString)>, (usize, String)> {
    let mut rest = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut variables = Vec::new();
    let mut line = 1;
    while !rest.is_empty() {
        let before = rest;
        match entry(rest) {
            Ok((variable, left)) => {
                variables.extend(variable);
                rest = left;
            }
            Err(message) => return Err((line, message)),
        }
        line += before[..before.len() - rest.len()].split(|byte| *byte == b'\n').count() - 1;
    }
    Ok(variables)
}

type Entry<'a> = (Option<(String, OsString)>, &'a [u8]);

/// Reads one line, or as many as its quotes take, and returns what is left.
fn entry(text: &[u8]) -> std::result::Result<Entry<'_>, String> {
    let text = skip_blanks(text);
    let (whole, after) = split_line(text);
    if whole.is_empty() || whole.starts_with(b"#") {
        return Ok((None, after));
    }
    let text = match text.strip_prefix(b"export") {
        Some(behind) if behind.starts_with(b" ") || behind.starts_with(b"\t") => skip_blanks(behind),
        Some(_) | None => text,
    };
    let (line, _) = split_line(text);
    let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
        return Err(format!("expected `NAME=VALUE`, not `{}`", String::from_utf8_lossy(line.trim_ascii())));
    };
    let name = line[..equals].trim_ascii_end();
    if !is_name(name) {
        return Err(format!("`{}` is no name of a variable", String::from_utf8_lossy(name)));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    let (value, rest) = value(skip_blanks(&text[equals + 1..]))?;
    if value.contains(&0) {
        return Err(format!("the value of `{name}` holds a NUL byte"));
    }
    Ok((Some((name, OsString::from_vec(value))), rest))
}

fn is_name(name: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !name.is_empty() && !name[0].is_ascii_digit() && name.iter().all(allowed)
}

/// Reads a value and the rest of its line.
fn value(text: &[u8]) -> std::result::Result<(Vec<u8>, &[u8]), String> {
    let (value, rest) = match text.first() {
        Some(b'\'') => {
            let end = text[1..].iter().position(|byte| *byte == b'\'').ok_or("a `'` is not closed")?;
            (text[1..=end].to_vec(), &text[end + 2..])
        }
        Some(b'"') => double_quoted(&text[1..])?,
        Some(_) | None => {
            let (line, after) = split_line(text);
            let comment =
                (0..line.len()).find(|at| line[*at] == b'#' && (*at == 0 || line[at - 1].is_ascii_whitespace()));
            return Ok((line[..comment.unwrap_or(line.len())].trim_ascii_end().to_vec(), after));
        }
    };
    let (behind, after) = split_line(rest);
    let behind = behind.trim_ascii();
    if behind.is_empty() || behind.starts_with(b"#") {
        return Ok((value, after));
    }
    Err(format!("`{}` stands behind the closing quote", String::from_utf8_lossy(behind)))
}

fn double_quoted(text: &[u8]) -> std::result::Result<(Vec<u8>, &[u8]), String> {
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, text.get(at + 1)) {
            (b'"', _) => return Ok((value, &text[at + 1..])),
            (b'\\', Some(escaped)) => {
                match escaped {
                    b'n' => value.push(b'\n'),
                    b'r' => value.push(b'\r'),
                    b't' => value.push(b'\t'),
                    b'"' | b'\\' | b'$' | b'`' => value.push(*escaped),
                    // A line that goes on.
                    b'\n' => (),
                    other => value.extend([b'\\', *other]),
                }
                at += 2;
            }
            _ => {
                value.push(*byte);
                at += 1;
            }
        }
    }
    Err("a `\"` is not closed".to_owned())
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &text[blanks..]
}

/// The line without its end, and what follows it.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let line = &text[..end];
    (line.strip_suffix(b"\r").unwrap_or(line), text.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let variables = parse(text.as_bytes()).unwrap();
        variables.into_iter().map(|(name, value)| (name, value.into_string().unwrap())).collect()
    }

    fn check(text: &str, value: &str) {
        assert_eq!(parsed(text), [("A".to_owned(), value.to_owned())], "{text:?}");
    }

    #[test]
    fn a_value_is_the_rest_of_the_line_without_blanks_and_comment() {
        for (text, value) in [
            ("A=1", "1"),
            ("\u{feff}A=1\r\n", "1"),
            ("  export A = two words \t\n", "two words"),
            ("A=x#y # z\n", "x#y"),
            ("A=#x", ""),
            ("A=", ""),
            ("A=$HOME=`x`\\n", "$HOME=`x`\\n"),
            ("# c\n\n   # c\nA=a'b\"c\n", "a'b\"c"),
        ] {
            check(text, value);
        }
        assert_eq!(parsed("exported=1"), [("exported".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn quotes_keep_blanks_and_lines_and_only_double_ones_know_escapes() {
        for (text, value) in [
            ("A=' x # $y \\n'# c\n", " x # $y \\n"),
            ("A=\" x\\n\\\"y\\\" \\$z \\q \"", " x\n\"y\" $z \\q "),
            ("A='one\ntwo'\n", "one\ntwo"),
            ("A=\"one\\\ntwo\"", "onetwo"),
            ("A=''", ""),
        ] {
            check(text, value);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, message) in [
            ("A=1\nB", 2, "expected `NAME=VALUE`, not `B`"),
            ("A='1\n2'\n\n1A=3", 4, "`1A` is no name of a variable"),
            ("=1", 1, "`` is no name of a variable"),
            ("A='1", 1, "a `'` is not closed"),
            ("\nA=\"1\n", 2, "a `\"` is not closed"),
            ("A='1' 2", 1, "`2` stands behind the closing quote"),
            ("A=\0", 1, "the value of `A` holds a NUL byte"),
        ] {
            assert_eq!(parse(text.as_bytes()), Err((line, message.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let pieces: [&[u8]; 8] = [b"A", b"=", b"'", b"\"", b"\\", b"\n", b" ", b"\xff"];
        for number in 0..8_u32.pow(5) {
            let text: Vec<u8> = (0..5).flat_map(|at| pieces[(number / 8_u32.pow(at) % 8) as usize].to_vec()).collect();
            let _ = parse(&text);
        }
    }
}
