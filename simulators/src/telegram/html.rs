//! Telegram's HTML, as strictly as Telegram reads it: few tags, all closed in order, four named entities.

const TAGS: [&str; 12] = ["b", "strong", "i", "em", "u", "ins", "s", "del", "code", "pre", "a", "blockquote"];

/// The text without markup.
pub(super) fn read(html: &str) -> Result<String, String> {
    let (mut plain, mut open) = (String::new(), Vec::new());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(inside) = rest.strip_prefix('<') {
            let (tag, after) = inside.split_once('>').ok_or_else(|| "unclosed start tag".to_owned())?;
            turn(tag, &mut open)?;
            rest = after;
        } else {
            let (letter, after) = entity(&rest[1..])?;
            plain.push(letter);
            rest = after;
        }
    }
    plain.push_str(rest);
    match open.pop() {
        Some(tag) => Err(format!("can't find end tag corresponding to start tag \"{tag}\"")),
        None => Ok(plain),
    }
}

fn turn(tag: &str, open: &mut Vec<String>) -> Result<(), String> {
    if let Some(ended) = tag.strip_prefix('/') {
        return match open.pop() {
            Some(begun) if begun == ended => Ok(()),
            _ => Err(format!("unexpected end tag \"{ended}\"")),
        };
    }
    let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    if !TAGS.contains(&name) {
        return Err(format!("unsupported start tag \"{name}\""));
    }
    let is_link = name == "a" && attributes.starts_with("href=\"") && attributes.ends_with('"');
    if !attributes.is_empty() && !is_link {
        return Err(format!("unsupported attributes of \"{name}\""));
    }
    open.push(name.to_owned());
    Ok(())
}

/// An entity behind its `&`, and what follows it.
fn entity(text: &str) -> Result<(char, &str), String> {
    let (name, after) = text.split_once(';').ok_or_else(|| "unescaped &".to_owned())?;
    let letter = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        _ => return Err(format!("unknown entity \"{name}\"")),
    };
    Ok((letter, after))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn markup_is_taken_off_or_refused() {
        assert_eq!(
            read("<b>a</b> &lt;c&gt; &amp; <a href=\"http://x/?a=b&amp;c\">d</a>").as_deref(),
            Ok("a <c> & d")
        );
        for wrong in [
            "<b>a",
            "a</b>",
            "<script>a</script>",
            "a & b",
            "a < b",
            "&nbsp;",
            "<b x=\"1\">a</b>",
            "<b><i>a</b></i>",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
