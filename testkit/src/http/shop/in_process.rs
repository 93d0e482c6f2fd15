//! Requests that travel into a router of the same process.

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, Uri},
};
use bytes::Bytes;
use client::{NoAnswer, Transport};
use tower::ServiceExt;

/// A router without a network before it.
#[derive(Debug, Clone)]
pub(crate) struct InProcess(pub(crate) Router);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let (mut parts, body) = request.into_parts();
        // As a server reads it from a connection: the path alone.
        if let Some(path) = parts.uri.path_and_query() {
            parts.uri = Uri::from(path.clone());
        }
        let answer = self.0.clone().oneshot(Request::from_parts(parts, Body::from(body))).await;
        let (parts, body) = answer.map_err(NoAnswer::because)?.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.map_err(NoAnswer::because)?;
        Ok(Response::from_parts(parts, bytes))
    }
}
