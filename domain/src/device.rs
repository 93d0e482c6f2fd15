//! What a client runs on, in words of ours, from what it calls itself. A client may say anything: this is for people who look
//! for a login that was not theirs, and decides nothing.

/// Programs, by what they put into their name: the first that is found, so that what others imitate comes last.
const PROGRAMS: &[(&str, &str)] = &[
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Terraform", "Terraform"),
    ("okhttp/", "okhttp"),
    ("python-requests/", "Python"),
    ("Go-http-client/", "Go"),
    ("reqwest", "reqwest"),
    ("PostmanRuntime/", "Postman"),
];

/// Systems, likewise.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// A device in words, such as `Chrome (Windows)`. `None` of one that says nothing we know.
#[must_use]
pub fn device(user_agent: &str) -> Option<String> {
    let named = |known: &[(&str, &'static str)]| {
        known.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, name)| *name)
    };
    match (named(PROGRAMS), named(SYSTEMS)) {
        (Some(program), Some(system)) => Some(format!("{program} ({system})")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart_from_those_they_imitate() {
        const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
        for (user_agent, words) in [
            (WINDOWS.to_owned(), "Chrome (Windows)"),
            (format!("{WINDOWS} Edg/126.0"), "Edge (Windows)"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"
                    .to_owned(),
                "Safari (iPhone)",
            ),
            ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36".to_owned(), "Chrome (Android)"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0".to_owned(), "Firefox (Linux)"),
            ("curl/8.5.0".to_owned(), "curl"),
        ] {
            assert_eq!(device(&user_agent).as_deref(), Some(words), "{user_agent}");
        }
        assert_eq!(device("<script>"), None);
    }
}
