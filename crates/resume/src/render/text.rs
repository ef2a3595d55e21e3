//! Text from outside, made safe for a row of a table.

use std::borrow::Cow;

use resume_core::os_text::OsText;
use unicode_width::UnicodeWidthStr;

/// How many columns of a terminal a text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text with everything that would move the cursor, colour what follows or turn it around written out.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_harmful(c) {
            harmless.extend(c.escape_default());
        } else {
            harmless.push(c);
        }
    }
    Cow::Owned(harmless)
}

/// Control characters, and those of the writing direction.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text cut to at most so many columns, with `…` where something is missing.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    // Widths do not add up (an emoji may be several characters), so each beginning is measured as a whole.
    let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
    let end = ends.take_while(|end| width(&text[..*end]) <= room).last().unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// A command in one line, as a shell would take it.
pub(crate) fn command_line(command: &[OsText]) -> String {
    let words = command.iter().map(|word| {
        let word = word.to_string_lossy();
        let quoted = shell_words::quote(&word);
        harmless(&quoted).into_owned()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_columns_and_not_by_letters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(cut("abc", 1), "…");
    }

    #[test]
    fn no_name_can_move_the_cursor_or_turn_the_line_around() {
        assert_eq!(harmless("a\x1b[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(harmless("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(harmless("naïve 日本 🦀"), "naïve 日本 🦀");
    }

    #[test]
    fn a_command_is_quoted_as_a_shell_would_take_it() {
        assert_eq!(command_line(&["sh".into(), "-c".into(), "a; b".into()]), "sh -c 'a; b'");
        assert_eq!(command_line(&[]), "");
    }
}
