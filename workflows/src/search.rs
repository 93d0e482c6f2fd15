//! Search attributes, as workflows set them.

use domain::outbox::SearchAttribute;
use temporalio_common::search_attributes::SearchAttributeKey;

/// Where the order stands.
pub const ORDER_STATUS: SearchAttributeKey<String> =
    SearchAttributeKey::keyword(SearchAttribute::OrderStatus.as_str());
/// Slug of the provider.
pub const PROVIDER: SearchAttributeKey<String> =
    SearchAttributeKey::keyword(SearchAttribute::Provider.as_str());
/// Slug of the plan.
pub const PLAN_SLUG: SearchAttributeKey<String> =
    SearchAttributeKey::keyword(SearchAttribute::PlanSlug.as_str());
/// Id of the server.
pub const INSTANCE_ID: SearchAttributeKey<String> =
    SearchAttributeKey::keyword(SearchAttribute::InstanceId.as_str());
/// Why provisioning failed.
pub const FAILURE_CLASS: SearchAttributeKey<String> =
    SearchAttributeKey::keyword(SearchAttribute::FailureClass.as_str());

/// Where the server stands.
pub const INSTANCE_STATUS: SearchAttributeKey<String> =
    SearchAttributeKey::keyword(SearchAttribute::InstanceStatus.as_str());
/// The day, in Jakarta, on which the server's life is looked at next.
pub const NEXT_DUE: SearchAttributeKey<String> =
    SearchAttributeKey::keyword(SearchAttribute::NextDue.as_str());

const COUNT: usize = SearchAttribute::ALL.len();

/// Names of all of them, for registration; each is a keyword.
pub const ALL: &[&str] = &{
    let mut names = [""; COUNT];
    let mut next = 0;
    while next < COUNT {
        names[next] = SearchAttribute::ALL[next].as_str();
        next += 1;
    }
    names
};
