//! Files.

use utoipa::ToSchema;

/// A file as it is, for the documentation of answers that are no JSON.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "it describes what is sent as bytes")]
pub(crate) struct FileBytes(Vec<u8>);
