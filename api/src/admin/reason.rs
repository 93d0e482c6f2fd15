//! Why staff do something: a sentence for colleagues, kept in the audit log.

use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::order_commands::not_blank;

/// The body of an act that takes nothing but its reason.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WithReason {
    /// For colleagues: 3 to 500 characters. The reason of a pause is shown in the details of workflows that wait, too.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "The vendor's status page tells of an incident")]
    reason: String,
}

impl WithReason {
    /// What was said, without blanks around it.
    pub(super) fn reason(&self) -> &str {
        self.reason.trim()
    }
}
