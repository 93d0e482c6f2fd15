//! Papers as HTTP answers: kept by nobody but who asked, to be asked for again with their ETag, shown rather than downloaded.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use domain::language::Language;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{html, paper::Paper, pdf};
use crate::{etag, problem::Problem};

/// In which language a paper is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PaperQuery {
    /// `id` or `en`; without it, the customer's language.
    pub lang: Option<Language>,
}

/// A paper as a page.
///
/// # Errors
/// 500 when it can't be written.
pub(crate) fn html(request: &HeaderMap, paper: &Paper) -> Result<Response, Problem> {
    let page = html::render(paper).map_err(|error| Problem::internal(&error))?;
    let mut response = answer(request, paper, page.into_bytes(), "text/html; charset=utf-8", "html")?;
    let policy = html::content_security_policy();
    let policy = HeaderValue::try_from(policy).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// A paper as PDF. Drawing one takes a core for a while, so it is done off the async threads.
///
/// # Errors
/// 500 when it can't be written.
pub(crate) async fn pdf(request: &HeaderMap, paper: Paper) -> Result<Response, Problem> {
    let drawn = tokio::task::spawn_blocking(move || (pdf::render(&paper), paper)).await;
    let (file, paper) = drawn.map_err(|error| Problem::internal(&error))?;
    answer(request, &paper, file, "application/pdf", "pdf")
}

fn answer(
    request: &HeaderMap,
    paper: &Paper,
    body: Vec<u8>,
    content_type: &'static str,
    extension: &str,
) -> Result<Response, Problem> {
    let tag = etag::of(&body);
    let known = etag::is_known(request, &tag);
    let name = format!("inline; filename=\"{}\"", paper.file_name(extension));
    let value = |text: String| HeaderValue::try_from(text).map_err(|error| Problem::internal(&error));
    let mut response = Response::new(if known { Body::empty() } else { Body::from(body) });
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(tag)?);
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(paper.language.as_str()));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONTENT_DISPOSITION, value(name)?);
    }
    Ok(response)
}
