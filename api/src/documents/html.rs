//! A paper as a page of its own: no script, nothing loaded from elsewhere.

use base64::{Engine, prelude::BASE64_STANDARD};
use minijinja::{Environment, Error, UndefinedBehavior, context, value::Serde};
use sha2::{Digest, Sha256};

use super::paper::Paper;

const TEMPLATE: &str = include_str!("paper.html");
const STYLE: &str = include_str!("paper.css");

/// The page of a paper. What customers wrote is escaped.
///
/// # Errors
/// When the template and the paper don't fit together.
pub(super) fn render(paper: &Paper) -> Result<String, Error> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_template("paper.html", TEMPLATE)?;
    templates.get_template("paper.html")?.render(context! { paper => Serde(paper), style => STYLE })
}

/// Lets a browser use the page's own style and nothing else.
pub(super) fn content_security_policy() -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}
