//! As much of Rust as it takes to see which modules of its crate a file names.

/// What a source consists of, without comments, strings and spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// `::`
    Path,
    Sign(char),
}

use Token::{Path, Sign, Word};

/// The names that follow the crate's root, with their lines: of `crate::{a::b, c}` it is `a` and `c`. From a file that many
/// `super::` below the root those count, too. Tests are left out.
pub fn roots(text: &str, depth: usize) -> Vec<(String, u32)> {
    let tokens = without_tests(&tokens(text));
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let rest = &tokens[at..];
        let is_begin = at == 0 || tokens[at - 1].0 != Path;
        if let Some(behind) = is_begin.then(|| behind_root(rest, depth)).flatten() {
            found.extend(first_names(&rest[behind..]));
        }
    }
    found
}

/// How many tokens lead to the crate's root, when they do.
fn behind_root(tokens: &[(Token<'_>, u32)], depth: usize) -> Option<usize> {
    let steps = |name| {
        tokens
            .chunks(2)
            .take_while(|pair| matches!(pair, [(Word(word), _), (Path, _)] if *word == name))
            .count()
    };
    if steps("crate") == 1 {
        return Some(2);
    }
    (depth > 0 && steps("super") == depth).then_some(depth * 2)
}

/// The first name of a path, or of each path in a group.
fn first_names(tokens: &[(Token<'_>, u32)]) -> Vec<(String, u32)> {
    let mut names = Vec::new();
    let (mut open, mut is_first) = (0, true);
    for &(token, line) in tokens {
        match token {
            Sign('{') => open += 1,
            Sign('}') => open -= 1,
            Sign(',') if open == 1 => is_first = true,
            Word(word) if is_first => {
                names.push((word.to_owned(), line));
                is_first = false;
            }
            _ => {}
        }
        if open <= 0 {
            break;
        }
    }
    names
}

const TEST: [Token<'static>; 7] =
    [Sign('#'), Sign('['), Word("cfg"), Sign('('), Word("test"), Sign(')'), Sign(']')];

/// Leaves out each item that is compiled for tests only.
fn without_tests<'a>(tokens: &[(Token<'a>, u32)]) -> Vec<(Token<'a>, u32)> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if rest.len() >= TEST.len() && rest.iter().zip(TEST).all(|((token, _), wanted)| *token == wanted) {
            at += TEST.len() + item(&rest[TEST.len()..]);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// The length of the item that begins here: it ends with `;`, or with the braces that it opens.
fn item(tokens: &[(Token<'_>, u32)]) -> usize {
    let mut open = 0;
    for (at, (token, _)) in tokens.iter().enumerate() {
        match token {
            Sign('{') => open += 1,
            Sign('}') => open -= 1,
            Sign(';') if open == 0 => return at + 1,
            _ => {}
        }
        if *token == Sign('}') && open <= 0 {
            return at + 1;
        }
    }
    tokens.len()
}

fn tokens(text: &str) -> Vec<(Token<'_>, u32)> {
    let (mut found, mut line, mut rest) = (Vec::new(), 1, text);
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first);
        let (taken, behind) = rest.split_at(length);
        found.extend(token.map(|token| (token, line)));
        line += u32::try_from(taken.matches('\n').count()).unwrap_or_default();
        rest = behind;
    }
    found
}

/// What a text that is not empty begins with, and how long that is.
fn next(text: &str, first: char) -> (Option<Token<'_>>, usize) {
    let up_to = |end: &str| text.find(end).map_or(text.len(), |at| at + end.len());
    if text.starts_with("//") {
        return (None, up_to("\n"));
    }
    if text.starts_with("/*") {
        return (None, block_comment(text));
    }
    if text.starts_with("::") {
        return (Some(Path), 2);
    }
    if let Some(length) = raw_string(text).or_else(|| string(text)).or_else(|| character(text)) {
        return (None, length);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if is_word(first) {
        let length = text.find(|c| !is_word(c)).unwrap_or(text.len());
        return (Some(Word(&text[..length])), length);
    }
    ((!first.is_whitespace()).then_some(Sign(first)), first.len_utf8())
}

/// They nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut open) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (open, at) = (open + 1, at + 2),
            [b'*', b'/', ..] => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
        if open == 0 {
            return at;
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let prefix = if text.starts_with("br") { 2 } else { usize::from(text.starts_with('r')) };
    let hashes = text.get(prefix..)?.bytes().take_while(|&byte| byte == b'#').count();
    let begin = prefix + hashes + 1;
    if prefix == 0 || !text.get(..begin)?.ends_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len()))
}

fn string(text: &str) -> Option<usize> {
    let begin = if text.starts_with("b\"") { 2 } else { usize::from(text.starts_with('"')) };
    (begin > 0).then(|| quoted(text, begin, b'"'))
}

/// A character, and not a lifetime.
fn character(text: &str) -> Option<usize> {
    let begin = if text.starts_with("b'") { 2 } else { usize::from(text.starts_with('\'')) };
    let mut inside = text.get(begin..)?.chars();
    let (first, second) = (inside.next()?, inside.next()?);
    (begin > 0 && (first == '\\' || second == '\'')).then(|| quoted(text, begin, b'\''))
}

/// How long a text is that is quoted from `begin` on.
fn quoted(text: &str, begin: usize, quote: u8) -> usize {
    let mut at = begin;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, depth: usize) -> Vec<String> {
        roots(text, depth).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn paths_from_the_root_are_found_wherever_they_stand() {
        assert_eq!(names("use crate::wood; pub use crate::stone::Slab;", 1), ["wood", "stone"]);
        assert_eq!(names("fn f() -> crate::wood::Beam { crate :: stone :: cut() }", 2), ["wood", "stone"]);
        assert_eq!(names("pub(crate) fn f() {} use other::crate_::x;", 1), Vec::<String>::new());
    }

    #[test]
    fn of_a_group_the_first_name_of_each_path_counts() {
        let group = "use crate::{\n  Slab, wood::{self, Beam, oak::{old, young}},\n  stone::cut as saw,\n};";
        assert_eq!(names(group, 1), ["Slab", "wood", "stone"]);
        let lines: Vec<u32> = roots(group, 1).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, [2, 2, 3]);
    }

    #[test]
    fn as_many_steps_up_as_lead_to_the_root() {
        assert_eq!(names("use super::wood; use super::{stone, clay::Pot};", 1), ["wood", "stone", "clay"]);
        assert_eq!(names("use super::wood; use super::super::stone;", 2), ["stone"]);
        assert_eq!(names("use super::wood;", 0), Vec::<String>::new());
    }

    #[test]
    fn comments_strings_and_characters_are_no_code() {
        let text = r##"// crate::a
            /* crate::b /* crate::c */ crate::d */ /// [`crate::e`]
            let s = "crate::f \" crate::g"; let r = r#"crate::h " crate::i"#; let b = b"crate::j"; let c = '"';
            let q = '\''; fn f<'a>(x: &'a crate::wood::Beam) {} let n = '{'; let u = '\u{7d}'; use crate::stone;"##;
        assert_eq!(names(text, 1), ["wood", "stone"]);
        assert_eq!(names("\" never closed crate::a", 1), Vec::<String>::new());
    }

    #[test]
    fn tests_are_left_out_and_what_follows_is_not() {
        let text = "#[cfg(test)]\nmod tests { use crate::a; fn f() { crate::b::c() } }\nuse crate::wood;
            #[cfg(test)]\nmod more;\nuse crate::stone; #[cfg(test)] use crate::{d, e}; use crate::clay;
            #[cfg(any(test, feature = \"x\"))] use crate::sand;";
        assert_eq!(names(text, 1), ["wood", "stone", "clay", "sand"]);
    }
}
